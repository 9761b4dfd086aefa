//! An operator sets when a session ended, or withdraws it.

use chrono::{DateTime, Timelike, Utc};
use serde_json::json;
use sqlx::{Connection, PgPool};
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

/// Why an end was not set or withdrawn.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    #[error("there is no such session")]
    NotFound,
    /// The session cannot have ended at that time.
    #[error("{0}")]
    Impossible(&'static str),
    /// No operator has set an end that could be withdrawn.
    #[error("no operator has ended this session")]
    NothingToWithdraw,
    /// The database failed.
    #[error("the end cannot be stored")]
    Database(#[from] sqlx::Error),
}

/// Sets the end of a session to `ended_at`, or, with `None`, withdraws the end that an operator has set. Returns the
/// event, which is durable.
///
/// # Errors
/// [`EndError`]. After an error of the database, the event may or may not be stored; setting it again does no harm.
pub async fn set_end(
    pool: &PgPool,
    actor: &Actor,
    session_id: Uuid,
    ended_at: Option<DateTime<Utc>>,
    reason: String,
    now: DateTime<Utc>,
) -> Result<EventRow, EndError> {
    // A dedicated connection: closing it releases the lock. No transaction: the append commits by itself.
    let mut connection = pool.acquire().await?.detach();
    store::event::lock_for_operators(&mut connection, session_id).await?;
    let session = store::session::get_session(&mut connection, session_id).await?.ok_or(EndError::NotFound)?;
    if let Some(ended_at) = ended_at {
        check(&session, ended_at, now)?;
    } else {
        let last = store::event::get_last_operator_event(&mut connection, session_id).await?;
        // The event may be dropped by retention; then the folded session has the answer.
        if !last.map_or(session.operator_ended_at.is_some(), |event| event == OwnEvent::OperatorEnd.as_str()) {
            return Err(EndError::NothingToWithdraw);
        }
    }
    let act = if ended_at.is_some() { Act::SessionEnded } else { Act::SessionEndWithdrawn };
    let details = Some(json!({ "ended_at": ended_at, "reason": reason }));
    let subject = Subject { domain: Some(&session.domain), id: Some(session_id), details };
    audit::record(&mut connection, actor, now, act, subject).await?;
    let entry = entry_of(session, actor, ended_at, reason, now);
    let event_id = entry.event_id;
    store::log::insert_entries(&mut connection, &[entry], now).await?;
    let event = store::event::get_session_event(&mut connection, session_id, event_id).await?;
    connection.close().await?;
    Ok(event)
}

fn check(session: &SessionRow, ended_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), EndError> {
    if ended_at < session.started_at {
        Err(EndError::Impossible("must not lie before the session's start"))
    } else if ended_at > now {
        Err(EndError::Impossible("must not lie in the future"))
    } else if ended_at.nanosecond() != 0 {
        Err(EndError::Impossible("must be a whole second"))
    } else {
        Ok(())
    }
}

fn entry_of(
    session: SessionRow,
    actor: &Actor,
    ended_at: Option<DateTime<Utc>>,
    reason: String,
    now: DateTime<Utc>,
) -> NewEntryRow {
    let stream = StreamKey { domain: session.domain, app: session.app, stream: session.stream };
    let event = if ended_at.is_some() { OwnEvent::OperatorEnd } else { OwnEvent::OperatorEndWithdrawn };
    NewEntryRow {
        ended_at,
        actor: Some(actor.name.clone()),
        note: Some(reason),
        ..NewEntryRow::internal(
            session.shard,
            session.session_id,
            stream,
            session.publish_timestamp,
            event.origin(),
            event.as_str(),
            now,
        )
    }
}
