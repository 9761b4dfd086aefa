//! The instant up to which a report counts.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgPool, PgTransaction};
use tokio::time::{Instant, sleep};

use super::ReportError;
use crate::reconciler::database_clock::ClockReading;
use crate::store;
use crate::store::moment::ReachRow;

/// How long folding may take to reach the cutoff.
const FOLD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(10);

/// An instant at or before which nothing can be recorded, and how far the log reached then.
#[derive(Debug, Clone)]
pub struct ReportCutoff {
    pub at: DateTime<Utc>,
    reaches: Vec<ReachRow>,
}

impl ReportCutoff {
    /// An instant that is not closed, for answers that need not be the same the next time.
    pub fn passing(at: DateTime<Utc>) -> Self {
        Self { at, reaches: Vec::new() }
    }

    /// Begins to read what is folded, if everything up to the cutoff is. To be asked of every snapshot: another may be of
    /// another replica, or of a database that has crashed since, and lost what was folded but not yet on disk.
    pub async fn read(&self, pool: &PgPool) -> Result<PgTransaction<'static>, ReportError> {
        let mut snapshot = store::snapshot::begin(pool).await?;
        if store::moment::has_unfolded(&mut *snapshot, self.at, &self.reaches).await? {
            return Err(ReportError::NotFolded);
        }
        Ok(snapshot)
    }
}

/// Closes an instant, or the latest possible one: nothing can be recorded at or before it. Then waits until the log is folded
/// up to it, where it is read.
///
/// While the clocks are off by more than `tolerance`, only a past instant that is closed already is given: any other might
/// lie in the future, so that what is received later would not be recorded after it.
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
