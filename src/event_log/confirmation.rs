//! An operator confirms that a session is still live.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Connection, PgPool};
use uuid::Uuid;

use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::model::event::OwnEvent;
use crate::model::session::EndSource;
use crate::session::StreamKey;
use crate::store;
use crate::store::event::EventRow;
use crate::store::log::NewEntryRow;
use crate::store::session::SessionRow;

/// Why a session was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmationError {
    #[error("there is no such session")]
    NotFound,
    #[error("the session has ended; only a live session or one that has timed out can be confirmed")]
    Ended,
    /// The database failed.
    #[error("the confirmation cannot be stored")]
    Database(#[from] sqlx::Error),
}

/// Whether an operator can confirm that a session is live: it is, or it has only been estimated to have ended because
/// nothing was heard of it.
pub fn can_confirm(ended_at_source: Option<EndSource>) -> bool {
    match ended_at_source {
        None | Some(EndSource::TimedOut) => true,
        Some(EndSource::Notification | EndSource::Superseded | EndSource::Operator) => false,
    }
}

/// Confirms that a session is live at `now`. Returns the event, which is durable.
///
/// # Errors
/// [`ConfirmationError`]. After an error of the database, the event may or may not be stored; confirming again does no harm.
pub async fn confirm_session(
    pool: &PgPool,
    actor: &Actor,
    session_id: Uuid,
    reason: String,
    now: DateTime<Utc>,
) -> Result<EventRow, ConfirmationError> {
    // A dedicated connection: closing it releases the lock. No transaction: the append commits by itself.
    let mut connection = pool.acquire().await?.detach();
    store::event::lock_for_operators(&mut connection, session_id).await?;
    let session = store::session::get_session(&mut connection, session_id).await?;
    let session = session.ok_or(ConfirmationError::NotFound)?;
    if !can_confirm(session.ended_at_source) {
        return Err(ConfirmationError::Ended);
    }
    let details = Some(json!({ "reason": reason }));
    let subject = Subject { domain: Some(&session.domain), id: Some(session_id), details };
    audit::record(&mut connection, actor, now, Act::SessionConfirmed, subject).await?;
    let entry = entry_of(session, actor, reason, now);
    let event_id = entry.event_id;
    store::log::insert_entries(&mut connection, &[entry], now).await?;
    let event = store::event::get_session_event(&mut connection, session_id, event_id).await?;
    connection.close().await?;
    Ok(event)
}

fn entry_of(session: SessionRow, actor: &Actor, reason: String, now: DateTime<Utc>) -> NewEntryRow {
    let stream = StreamKey { domain: session.domain, app: session.app, stream: session.stream };
    let event = OwnEvent::OperatorConfirmed;
    NewEntryRow {
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
