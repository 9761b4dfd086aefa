//! The moment that a report is of.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgPool, PgTransaction};
use tokio::time::{Instant, sleep};

use super::ReportError;
use crate::reconciler::database_clock::ClockReading;
use crate::store;
use crate::store::moment::ReachRow;

/// How long folding may take to come to the moment.
const FOLD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(10);

/// A moment at which and before which nothing is recorded any more, and how far the log reached then.
#[derive(Debug, Clone)]
pub struct Moment {
    pub at: DateTime<Utc>,
    reaches: Vec<ReachRow>,
}

impl Moment {
    /// A moment that is not closed, for what need not be the same when it is asked again.
    pub fn passing(at: DateTime<Utc>) -> Self {
        Self { at, reaches: Vec::new() }
    }

    /// Begins to read what is folded, if that is all up to the moment. To be asked of every snapshot: another may be of
    /// another replica, or of a database that has crashed since, and lost what was folded but not yet on disk.
    pub async fn read(&self, pool: &PgPool) -> Result<PgTransaction<'static>, ReportError> {
        let mut snapshot = store::snapshot::begin(pool).await?;
        if store::moment::has_unfolded(&mut *snapshot, self.at, &self.reaches).await? {
            return Err(ReportError::NotFolded);
        }
        Ok(snapshot)
    }
}

/// Closes a moment, or the latest there is: nothing will be recorded at it or before it any more. Then waits until all that
/// was is folded, where it is read.
///
/// While the clocks are off by more than `tolerance`, only a past moment that is closed already is given: any other might
/// lie in the future, so that what is received later would not be recorded after it.
pub async fn close(
    primary: &PgPool,
    reading: &PgPool,
    as_of: Option<DateTime<Utc>>,
    tolerance: TimeDelta,
) -> Result<Moment, ReportError> {
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
    let moment = Moment { at, reaches };
    let patience = Instant::now() + FOLD_TIMEOUT;
    loop {
        match moment.read(reading).await {
            Ok(snapshot) => {
                snapshot.commit().await?;
                return Ok(moment);
            }
            Err(ReportError::NotFolded) if Instant::now() < patience => sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
}
