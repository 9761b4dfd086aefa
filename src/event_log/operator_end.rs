//! An operator sets when a session ended, or withdraws it.

use chrono::{DateTime, Timelike, Utc};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::operator_event::{LockedSession, OperatorEvent};
use crate::access::Actor;
use crate::model::access::Act;
use crate::model::event::OwnEvent;
use crate::store;
use crate::store::event::EventRow;
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
    let mut locked = LockedSession::lock(pool, session_id).await?.ok_or(EndError::NotFound)?;
    let (act, event) = if let Some(ended_at) = ended_at {
        check(&locked.session, ended_at, now)?;
        (Act::SessionEnded, OwnEvent::OperatorEnd)
    } else {
        let last = store::event::get_last_operator_event(&mut locked.connection, session_id).await?;
        // The event may be dropped by retention; then the folded session has the answer.
        if !last.map_or(locked.session.operator_ended_at.is_some(), |event| event == OwnEvent::OperatorEnd.as_str()) {
            return Err(EndError::NothingToWithdraw);
        }
        (Act::SessionEndWithdrawn, OwnEvent::OperatorEndWithdrawn)
    };
    let details = json!({ "ended_at": ended_at, "reason": reason });
    Ok(locked.append(OperatorEvent { actor, act, details, event, ended_at, reason }, now).await?)
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
