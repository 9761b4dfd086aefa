//! What is live now, counted.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::store;
use crate::store::live::{Grouping, LiveFilter, LiveRow};

/// The counts of what is live.
#[derive(Debug)]
pub struct LiveCounts {
    /// Over everything that fits.
    pub whole: LiveRow,
    /// Of each group, when groups were asked for.
    pub groups: Vec<LiveRow>,
    /// When this was read.
    pub as_of: DateTime<Utc>,
}

/// Counts what is live. `filter` is made for the moment of reading.
///
/// # Errors
/// Those of the database.
pub async fn count_live(
    pool: &PgPool,
    filter: impl FnOnce(DateTime<Utc>) -> LiveFilter,
    grouping: Grouping,
) -> Result<LiveCounts, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let filter = filter(as_of);
    let whole = store::live::count_live(&mut *snapshot, &filter, Grouping::Whole).await?;
    let groups = match grouping {
        Grouping::Whole => Vec::new(),
        _ => store::live::count_live(&mut *snapshot, &filter, grouping).await?,
    };
    snapshot.commit().await?;
    let whole = whole.into_iter().next().ok_or(sqlx::Error::RowNotFound)?;
    Ok(LiveCounts { whole, groups, as_of })
}
