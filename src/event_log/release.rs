//! An operator releases a quarantined callback: it counts from then on.
//!
//! The log is append-only: a release is a new event that repeats the content of the quarantined one. It is folded
//! exactly as if the callback had been accepted when it arrived.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgPool};
use uuid::Uuid;

use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::store;
use crate::store::event::EventRow;
use crate::store::release::ReleaseRow;

/// Why a callback was not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// There is no quarantined callback with this id.
    #[error("there is no such quarantined event")]
    NotQuarantined,
    #[error("the event was released before")]
    ReleasedBefore,
    /// The database failed.
    #[error("the release cannot be stored")]
    Database(#[from] sqlx::Error),
}

/// Releases a quarantined callback; returns the event of the release, which is durable.
///
/// # Errors
/// [`ReleaseError`]. After an error of the database, the callback may or may not be released; try again to find out.
pub async fn release(
    pool: &PgPool,
    actor: &Actor,
    event_id: Uuid,
    note: Option<String>,
    now: DateTime<Utc>,
) -> Result<EventRow, ReleaseError> {
    // A dedicated connection: closing it releases the lock. No transaction: the append commits by itself.
    let mut connection = pool.acquire().await?.detach();
    store::event::lock_for_operators(&mut connection, event_id).await?;
    let original = store::event::get_quarantined_event(&mut connection, event_id).await?;
    let original = original.ok_or(ReleaseError::NotQuarantined)?;
    if original.released_at.is_some() {
        return Err(ReleaseError::ReleasedBefore);
    }
    let subject = Subject { domain: Some(&original.domain), id: Some(event_id), details: None };
    audit::record(&mut connection, actor, now, Act::EventReleased, subject).await?;
    let release = ReleaseRow {
        shard: original.shard,
        original_position: original.position,
        event_id: Uuid::new_v4(),
        received_at: now,
        actor: actor.name.clone(),
        note,
    };
    if !store::release::insert_release(&mut connection, &release).await? {
        return Err(ReleaseError::NotQuarantined);
    }
    let entry = store::event::get_session_event(&mut connection, original.session_id, release.event_id).await?;
    connection.close().await?;
    Ok(entry)
}
