//! An operator's event of a session: locked, audited, appended.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::model::event::OwnEvent;
use crate::session::StreamKey;
use crate::store;
use crate::store::event::EventRow;
use crate::store::log::NewEntryRow;
use crate::store::session::SessionRow;

/// A session that other operators cannot change until this is dropped.
pub(super) struct LockedSession {
    /// Dedicated: closing it releases the lock. No transaction: the append commits by itself.
    pub(super) connection: PgConnection,
    pub(super) session: SessionRow,
}

pub(super) struct OperatorEvent<'a> {
    pub(super) actor: &'a Actor,
    pub(super) act: Act,
    /// Of the audit entry.
    pub(super) details: Value,
    pub(super) event: OwnEvent,
    /// The end that the operator sets.
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) reason: String,
}

impl LockedSession {
    /// `None` if there is no such session.
    pub(super) async fn lock(pool: &PgPool, session_id: Uuid) -> Result<Option<Self>, sqlx::Error> {
        let mut connection = pool.acquire().await?.detach();
        store::event::lock_for_operators(&mut connection, session_id).await?;
        let session = store::session::get_session(&mut connection, session_id).await?;
        Ok(session.map(|session| Self { connection, session }))
    }

    /// Appends the event and returns it. It is durable.
    pub(super) async fn append(self, by: OperatorEvent<'_>, now: DateTime<Utc>) -> Result<EventRow, sqlx::Error> {
        let Self { mut connection, session } = self;
        let subject =
            Subject { domain: Some(&session.domain), id: Some(session.session_id), details: Some(by.details) };
        audit::record(&mut connection, by.actor, now, by.act, subject).await?;
        let stream = StreamKey { domain: session.domain, app: session.app, stream: session.stream };
        let entry = NewEntryRow {
            ended_at: by.ended_at,
            actor: Some(by.actor.name.clone()),
            note: Some(by.reason),
            ..NewEntryRow::internal(
                session.shard,
                session.session_id,
                stream,
                session.publish_timestamp,
                by.event.origin(),
                by.event.as_str(),
                now,
            )
        };
        let event_id = entry.event_id;
        store::log::insert_entries(&mut connection, &[entry], now).await?;
        let event = store::event::get_session_event(&mut connection, session.session_id, event_id).await?;
        connection.close().await?;
        Ok(event)
    }
}
