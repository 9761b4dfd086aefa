//! The moment that a report is of.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::ReportError;
use crate::store;

/// How long folding may take to come to the moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(10);

/// Closes a moment, or the latest there is: nothing will be recorded at it or before it any more. Then waits until all that
/// was is folded, where it is read. Gives the moment.
///
/// # Errors
/// [`ReportError`].
pub async fn close(
    primary: &PgPool,
    reading: &PgPool,
    as_of: Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>, ReportError> {
    if let Some(as_of) = as_of
        && as_of > store::moment::get_latest_moment(primary).await?
    {
        return Err(ReportError::Future);
    }
    let closed = match as_of {
        Some(as_of) => store::moment::list_closed_reaches(primary, as_of).await?,
        None => None,
    };
    let reaches = match closed {
        Some(reaches) => reaches,
        None => store::moment::close(primary, as_of).await?,
    };
    let at = reaches.first().map(|reach| reach.at).ok_or(sqlx::Error::RowNotFound)?;
    let patience = Instant::now() + PATIENCE;
    while store::moment::has_unfolded(reading, at, &reaches).await? {
        if Instant::now() > patience {
            return Err(ReportError::NotFolded);
        }
        sleep(PAUSE).await;
    }
    Ok(at)
}
