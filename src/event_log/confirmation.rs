//! An operator confirms that a session is still live.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::operator_event::{LockedSession, OperatorEvent};
use crate::access::Actor;
use crate::model::access::Act;
use crate::model::event::OwnEvent;
use crate::model::session::EndSource;
use crate::store::event::EventRow;

/// Why a session was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmationError {
    #[error("there is no such session")]
    NotFound,
    #[error("the session has ended; only a live session, or one whose end is estimated from silence, can be confirmed")]
    Ended,
    /// The database failed.
    #[error("the confirmation cannot be stored")]
    Database(#[from] sqlx::Error),
}

/// Whether an operator can confirm that a session is live: it is, or it has only been estimated to have ended because
/// nothing was heard of it, or the provider's list misses it.
pub fn can_confirm(ended_at_source: Option<EndSource>) -> bool {
    match ended_at_source {
        None | Some(EndSource::TimedOut | EndSource::Unlisted) => true,
        Some(EndSource::Notification | EndSource::Superseded | EndSource::Operator | EndSource::ProviderHistory) => {
            false
        }
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
    let locked = LockedSession::lock(pool, session_id).await?.ok_or(ConfirmationError::NotFound)?;
    if !can_confirm(locked.session.ended_at_source) {
        return Err(ConfirmationError::Ended);
    }
    let event = OperatorEvent {
        actor,
        act: Act::SessionConfirmed,
        details: json!({ "reason": reason }),
        event: OwnEvent::OperatorConfirmed,
        ended_at: None,
        reason,
    };
    Ok(locked.append(event, now).await?)
}
