//! How far each shard has been folded.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// How far a shard has been folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressRow {
    /// Position of the last entry folded; 0 before the first.
    pub position: i64,
    /// When that entry was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// The shards whose log reaches further than their folding.
///
/// # Errors
/// Those of the database.
pub async fn list_lagging_shards(executor: impl PgExecutor<'_>) -> Result<Vec<i16>, sqlx::Error> {
    sqlx::query_scalar!(
        "select shard from shard_head head join fold_progress progress using (shard)
         where head.position > progress.position
         order by shard"
    )
    .fetch_all(executor)
    .await
}

/// Takes a shard for folding, to the end of the transaction. `None` when another folder has it.
///
/// # Errors
/// Those of the database.
pub async fn lock_progress(executor: impl PgExecutor<'_>, shard: i16) -> Result<Option<ProgressRow>, sqlx::Error> {
    sqlx::query_as!(
        ProgressRow,
        "select position, recorded_at from fold_progress where shard = $1 for update skip locked",
        shard
    )
    .fetch_optional(executor)
    .await
}

/// Says how far a shard has been folded.
///
/// # Errors
/// Those of the database.
pub async fn update_progress(
    executor: impl PgExecutor<'_>,
    shard: i16,
    progress: ProgressRow,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update fold_progress set position = $2, recorded_at = $3 where shard = $1",
        shard,
        progress.position,
        progress.recorded_at
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Lets this transaction's commit return before it is on disk.
///
/// Right for folding alone: what a crash takes of it is folded again from the log, whose own commits do wait.
///
/// # Errors
/// Those of the database.
pub async fn set_commit_asynchronous(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("set local synchronous_commit = off").execute(executor).await?;
    Ok(())
}

/// How far folding is behind the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagRow {
    /// Entries that are not folded.
    pub entries: i64,
    /// When the oldest of them was recorded.
    pub oldest_recorded_at: Option<DateTime<Utc>>,
}

/// How far folding is behind, over all shards.
///
/// # Errors
/// Those of the database.
pub async fn get_lag(executor: impl PgExecutor<'_>) -> Result<LagRow, sqlx::Error> {
    sqlx::query_as!(
        LagRow,
        r#"select coalesce(sum(head.position - progress.position), 0)::bigint as "entries!",
                min((select entry.recorded_at from log_entry entry
                     where entry.shard = head.shard and entry.position > progress.position
                       and entry.recorded_at >= progress.recorded_at
                     order by entry.position limit 1)) as oldest_recorded_at
         from shard_head head join fold_progress progress using (shard)
         where head.position > progress.position"#
    )
    .fetch_one(executor)
    .await
}
