//! Folds all sessions again from the log, into shadow tables, while callbacks keep arriving.
//!
//! The same steps fold the log from its beginning into empty tables. When these have nearly caught up, live folding is
//! blocked while the rest is folded and compared; receiving is not. Rows that differ are replaced in the same
//! transaction, or, to verify, only reported.

use std::cell::Cell;

use futures_util::{StreamExt, TryStreamExt, stream};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};

use super::step::{FoldError, MAX_BATCH, step};
use crate::store;
use crate::store::pool::{self, PoolRole};
use crate::store::rebuild::{DifferenceRow, Folded};
use crate::store::retention::HorizonRow;

const AT_ONCE: usize = 2;

/// Why a rebuild failed.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another rebuild is running.
    #[error("another rebuild is running on this database")]
    Busy,
    /// The log cannot be folded.
    #[error("the log cannot be folded")]
    Fold(#[from] FoldError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// What to do with rows that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Only report them.
    Verify,
    /// Report and replace them.
    Replace,
}

/// Folds all sessions again; returns the number of rows that differ from the log.
///
/// `progress` is called with the number of events folded so far, `show` with each row that differs.
///
/// # Errors
/// [`RebuildError`]; then nothing has changed.
pub async fn rebuild(
    database: &PgConnectOptions,
    purpose: Purpose,
    progress: impl Fn(u64),
    show: impl FnMut(DifferenceRow),
) -> Result<u64, RebuildError> {
    let mut connection = PgConnection::connect_with(&pool::options(database, PoolRole::Work, false)).await?;
    if !store::rebuild::try_lock_rebuild(&mut connection).await? {
        return Err(RebuildError::Busy);
    }
    store::retention::lock_retention(&mut connection).await?;
    let schema = store::rebuild::get_live_schema(&mut connection).await?;
    store::rebuild::create_tables_beside(&mut connection).await?;
    let installation = store::installation::get_installation(&mut connection).await?.ok_or(sqlx::Error::RowNotFound)?;
    let beside = pool::open(&store::rebuild::options(database, &schema), PoolRole::Fold, installation.distributed);
    let rebuilt = rebuild_beside(&mut connection, &beside, purpose, progress, show).await;
    beside.close().await;
    let dropped = store::rebuild::drop_tables_beside(&mut connection).await;
    let differences = rebuilt?;
    dropped?;
    // The server releases the locks when the connection ends, but perhaps not before the next rebuild asks for them.
    store::retention::unlock_retention(&mut connection).await?;
    store::rebuild::unlock_rebuild(&mut connection).await?;
    connection.close().await?;
    Ok(differences)
}

async fn rebuild_beside(
    connection: &mut PgConnection,
    beside: &PgPool,
    purpose: Purpose,
    progress: impl Fn(u64),
    mut show: impl FnMut(DifferenceRow),
) -> Result<u64, RebuildError> {
    let folded = Cell::new(0);
    let tell = |entries| {
        folded.set(folded.get() + entries);
        progress(folded.get());
    };
    // First pass: folds up to the current positions, while live folding continues.
    let horizons = store::retention::list_horizons(&mut *connection).await?;
    let nearly = store::rebuild::list_progress(&mut *connection).await?;
    let ranges = nearly.iter().zip(&horizons).map(|((shard, to), horizon)| (*shard, horizon.position, *to));
    fold_ranges(beside, ranges, &tell).await?;
    let mut transaction = connection.begin().await?;
    store::rebuild::set_patient(&mut transaction).await?;
    // From here to the commit, live folding waits for these shards.
    let mut ranges = Vec::new();
    for (shard, from) in nearly {
        ranges.push((shard, from, store::rebuild::lock_progress(&mut *transaction, shard).await?));
    }
    fold_ranges(beside, ranges.into_iter(), &tell).await?;
    keep_what_is_forgotten(&mut transaction, &horizons).await?;
    let mut differences = 0;
    for table in Folded::ALL {
        let found = store::rebuild::list_differences(&mut transaction, table, &mut show).await?;
        differences += found;
        if purpose == Purpose::Replace && found > 0 {
            store::rebuild::replace_differing_rows(&mut transaction, table).await?;
        }
    }
    transaction.commit().await?;
    Ok(differences)
}

/// Adjusts the shadow tables where the log no longer has the facts, so that the live rows are kept.
async fn keep_what_is_forgotten(connection: &mut PgConnection, horizons: &[HorizonRow]) -> Result<(), sqlx::Error> {
    if horizons.iter().any(|horizon| horizon.position > 0) {
        store::rebuild::delete_older_sessions_beside(connection).await?;
        store::rebuild::insert_older_streams_beside(connection).await?;
    }
    if horizons.iter().any(|horizon| horizon.personal_position > 0) {
        store::rebuild::update_redacted_sessions_beside(connection).await?;
    }
    Ok(())
}

/// Folds the events of each shard between two positions: after the first, up to and including the second. All of them
/// must be in the log.
async fn fold_ranges(
    beside: &PgPool,
    ranges: impl Iterator<Item = (i16, i64, i64)>,
    tell: &impl Fn(u64),
) -> Result<(), FoldError> {
    let folded = ranges.map(|(shard, from, to)| fold_between(beside, shard, from, to, tell));
    stream::iter(folded).buffer_unordered(AT_ONCE).try_collect().await
}

async fn fold_between(
    beside: &PgPool,
    shard: i16,
    mut from: i64,
    to: i64,
    tell: &impl Fn(u64),
) -> Result<(), FoldError> {
    while from < to {
        let limit = usize::try_from(to - from).unwrap_or(MAX_BATCH).min(MAX_BATCH);
        let entries = step(beside, &[shard], limit).await?.entries;
        if entries == 0 {
            return Err(FoldError::Broken { shard });
        }
        from += i64::try_from(entries).unwrap_or(i64::MAX - from);
        tell(u64::try_from(entries).unwrap_or_default());
    }
    Ok(())
}
