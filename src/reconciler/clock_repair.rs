//! The way back when a clock was ahead: what it recorded in the future is moved to the present.
//!
//! Until then all that is appended to these shards is recorded in that future, and no moment can be closed. Positions do
//! not change. Neither do reports of moments before the clock leaped: what they count was recorded before.

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

/// Why nothing is moved.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// What the present is cannot be told.
    #[error("nothing can be repaired yet: {0}")]
    WrongClock(ClockError),
    /// The log is being read as a whole, or redacted.
    #[error("a rebuild, an export or retention is running on this database; try again later")]
    Busy,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// What lies ahead of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    pub present: DateTime<Utc>,
    /// How far the log reaches: no moment up to it can be closed any more.
    pub recorded_to: DateTime<Utc>,
    pub events: AheadRow,
}

/// What of the log lies ahead of the clock; `None` when it reaches no further than `tolerance`.
///
/// # Errors
/// [`RepairError`]; of a wrong clock when it differs from the service's by more than `tolerance`.
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

/// Moves what lies ahead of the clock to the present, in one transaction, and gives what it was; `None` when nothing does.
///
/// What is received meanwhile waits in the spool. What sessions were before is then to be folded again
/// ([`rebuild`](super::rebuild)): their times are right, but an outcome that held only in that future is gone.
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
    // As an append does: first the heads, in the order of their shards.
    for shard in &shards {
        store::transfer::lock_head(&mut *transaction, shard.shard).await?;
    }
    for shard in &shards {
        store::rebuild::lock_progress(&mut *transaction, shard.shard).await?;
    }
    // From here to the end nothing is recorded: the present is later than all that is not ahead.
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
