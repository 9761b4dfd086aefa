//! The `as_of` of a report.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgPool, PgTransaction};
use tokio::time::{Instant, sleep};

use super::ReportError;
use crate::reconciler::database_clock::ClockReading;
use crate::store;
use crate::store::moment::ReachRow;

/// How long to wait until the log is folded up to `as_of`.
const FOLD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before the next check.
const PAUSE: Duration = Duration::from_millis(10);

/// A fixed `as_of`: nothing is recorded at or before it any longer. Includes the position that each shard had reached.
#[derive(Debug, Clone)]
pub struct ReportCutoff {
    pub at: DateTime<Utc>,
    reaches: Vec<ReachRow>,
}

impl ReportCutoff {
    /// An `as_of` that is not fixed, for results that may change.
    pub fn passing(at: DateTime<Utc>) -> Self {
        Self { at, reaches: Vec::new() }
    }

    /// Begins a snapshot, after checking that the log is folded up to `as_of`. Check every snapshot: the next may be of
    /// another replica, or of a database that has crashed and lost folding that was not on disk yet.
    pub async fn read(&self, pool: &PgPool) -> Result<PgTransaction<'static>, ReportError> {
        let mut snapshot = store::snapshot::begin(pool).await?;
        if store::moment::has_unfolded(&mut *snapshot, self.at, &self.reaches).await? {
            return Err(ReportError::NotFolded);
        }
        Ok(snapshot)
    }
}

/// Fixes the given `as_of`, or the latest possible one: nothing is recorded at or before it afterwards. Then waits
/// until the database to read from has folded up to it.
///
/// While the clocks are off by more than `tolerance`, only a past `as_of` that is fixed already is returned: any other
/// might be in the future, and later events would not be recorded after it.
pub async fn close(
    primary: &PgPool,
    reading: &PgPool,
    as_of: Option<DateTime<Utc>>,
    tolerance: TimeDelta,
) -> Result<ReportCutoff, ReportError> {
    let clocks = ClockReading::take(primary).await?;
    let check = || clocks.check(tolerance).map_err(ReportError::WrongClock);
    if let Some(as_of) = as_of
        && as_of > clocks.latest()
    {
        check()?;
        return Err(ReportError::Future);
    }
    let closed = match as_of {
        Some(as_of) if as_of <= clocks.service_time || check().is_ok() => {
            store::moment::list_closed_reaches(primary, as_of).await?
        }
        Some(_) | None => None,
    };
    let reaches = if let Some(reaches) = closed {
        reaches
    } else {
        check()?;
        store::moment::close(primary, as_of, clocks.latest() + tolerance).await?
    };
    let at = reaches.first().map(|reach| reach.at).ok_or(sqlx::Error::RowNotFound)?;
    let cutoff = ReportCutoff { at, reaches };
    let patience = Instant::now() + FOLD_TIMEOUT;
    loop {
        match cutoff.read(reading).await {
            Ok(snapshot) => {
                snapshot.commit().await?;
                return Ok(cutoff);
            }
            Err(ReportError::NotFolded) if Instant::now() < patience => sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
}
