//! Repairs the log after a clock was ahead: moves events that were recorded in the future to the present.
//!
//! Until then, every append to the shards concerned is recorded in that future, too, and no `as_of` can be fixed.
//! Positions do not change. Neither do reports as of a time before the clock jumped: the events they count were
//! recorded before.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::platform::clock;
use crate::reconciler::database_clock::{ClockError, ClockReading};
use crate::registry::installation::make_partitions_ahead;
use crate::store;
use crate::store::clock_repair::AheadRow;

/// Why the log was not repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The clocks differ, so the present is unknown.
    #[error("nothing can be repaired yet: {0}")]
    WrongClock(ClockError),
    /// A rebuild, an export or retention holds the lock.
    #[error("a rebuild, an export or retention is running on this database; try again later")]
    Busy,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// The part of the log that is ahead of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    pub present: DateTime<Utc>,
    /// How far the log reaches: no `as_of` up to it can be fixed.
    pub recorded_to: DateTime<Utc>,
    pub events: AheadRow,
}

/// Finds the events that are ahead of the clock; `None` when the log is ahead by no more than `tolerance`.
///
/// # Errors
/// [`RepairError`]; `WrongClock` when the database's clock differs from the service's by more than `tolerance`.
pub async fn find_ahead(connection: &mut PgConnection, tolerance: TimeDelta) -> Result<Option<Ahead>, RepairError> {
    let clocks = ClockReading::take(&mut *connection).await?;
    match clocks.check(tolerance) {
        Ok(()) => Ok(None),
        Err(error @ ClockError::Differs(_)) => Err(RepairError::WrongClock(error)),
        Err(ClockError::LogAhead(_)) => {
            let present = clocks.database_time;
            let recorded_to = clocks.recorded_to;
            let events = store::clock_repair::get_events_after(connection, present).await?;
            Ok(Some(Ahead { present, recorded_to, events }))
        }
    }
}

/// Moves the events that are ahead of the clock to the present, in one transaction, and returns them as they were;
/// `None` when there are none.
///
/// Callbacks that arrive meanwhile wait in the spool. Earlier outcomes must be folded again afterwards
/// ([`rebuild`](super::rebuild)): their times are right, but those that were valid only in that future are deleted.
///
/// # Errors
/// [`RepairError`]; then nothing has changed.
pub async fn repair(pool: &PgPool, actor: &Actor, tolerance: TimeDelta) -> Result<Option<Ahead>, RepairError> {
    make_partitions_ahead(&mut *pool.acquire().await?, clock::now()).await?;
    let mut transaction = pool.begin().await?;
    store::rebuild::set_patient(&mut transaction).await?;
    if !store::retention::try_lock_retention(&mut *transaction).await? {
        return Err(RepairError::Busy);
    }
    let shards = store::retention::list_horizons(&mut *transaction).await?;
    // The lock order of an append: first the heads, by shard.
    for shard in &shards {
        store::transfer::lock_head(&mut *transaction, shard.shard).await?;
    }
    for shard in &shards {
        store::rebuild::lock_progress(&mut *transaction, shard.shard).await?;
    }
    // From here to the commit nothing is recorded, so the present is later than every event that is not ahead.
    let Some(ahead) = find_ahead(&mut transaction, tolerance).await? else { return Ok(None) };
    store::clock_repair::update_times_after(&mut transaction, ahead.present).await?;
    let details = json!({
        "events": ahead.events.events,
        "recorded_to": ahead.recorded_to,
        "moved_to": ahead.present,
    });
    let subject = Subject { details: Some(details), ..Subject::default() };
    audit::record(&mut *transaction, actor, clock::now(), Act::ClockRepaired, subject).await?;
    transaction.commit().await?;
    Ok(Some(ahead))
}
