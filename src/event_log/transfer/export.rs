//! Exports the log of an installation.

use std::io::Write;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::BATCH;
use super::line::{Header, text_of};
use crate::platform::clock;
use crate::store;
use crate::store::fold::ProgressRow;
use crate::store::pool::{self, PoolRole};

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Writing the output failed.
    #[error("the export cannot be written")]
    Io(#[from] std::io::Error),
    /// The database failed.
    #[error("the log cannot be read")]
    Database(#[from] sqlx::Error),
    /// Retention holds the lock.
    #[error("retention is deleting old events; try again later")]
    Busy(#[source] sqlx::Error),
    /// An invariant does not hold.
    #[error("the log of shard {shard} has no event {position}")]
    Gap { shard: i16, position: i64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    pub entries: u64,
    pub dropped: u64,
}

/// Writes the log up to its current end. Receiving continues; retention waits.
///
/// `progress` is called with the number of events written and their total.
pub async fn export(
    database: &PgConnectOptions,
    mut to: impl Write,
    progress: impl Fn(u64, u64),
) -> Result<Exported, ExportError> {
    let mut connection = PgConnection::connect_with(&pool::options(database, PoolRole::Work, false)).await?;
    store::retention::lock_retention(&mut connection).await.map_err(ExportError::Busy)?;
    let shards = store::installation::get_installation(&mut connection).await?.ok_or(sqlx::Error::RowNotFound)?.shards;
    let heads = store::inference::get_heads(&mut connection).await?;
    let horizons = store::retention::list_horizons(&mut connection).await?;
    let dropped: i64 = horizons.iter().map(|horizon| horizon.position).sum();
    let entries = heads.positions.iter().sum::<i64>() - dropped;
    let (entries, dropped) = (u64::try_from(entries).unwrap_or_default(), u64::try_from(dropped).unwrap_or_default());
    writeln!(
        to,
        "{}",
        serde_json::to_string(&Header::new(shards, entries, clock::now())).map_err(std::io::Error::from)?
    )?;
    let mut written = 0;
    for (horizon, head) in horizons.into_iter().zip(heads.positions) {
        let mut after =
            ProgressRow { shard: horizon.shard, position: horizon.position, recorded_at: horizon.recorded_at };
        while after.position < head {
            let before = after.position;
            after = export_batch(&mut connection, after, head, &mut to).await?;
            written += (after.position - before).unsigned_abs();
            progress(written, entries);
        }
    }
    to.flush()?;
    connection.close().await?;
    Ok(Exported { entries, dropped })
}

/// Writes the next events of a shard, and returns the progress after them.
async fn export_batch(
    connection: &mut PgConnection,
    mut after: ProgressRow,
    head: i64,
    to: &mut impl Write,
) -> Result<ProgressRow, ExportError> {
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let batch = store::transfer::list_recorded_entries(connection, after, head, limit).await?;
    if batch.is_empty() {
        return Err(ExportError::Gap { shard: after.shard, position: after.position + 1 });
    }
    for entry in batch {
        let ProgressRow { shard, position, .. } = after;
        if entry.position != position + 1 {
            return Err(ExportError::Gap { shard, position: position + 1 });
        }
        writeln!(to, "{}", text_of(&entry).map_err(std::io::Error::from)?)?;
        after = ProgressRow { shard, position: entry.position, recorded_at: entry.recorded_at };
    }
    Ok(after)
}
