//! The folding progress of each shard.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::column;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressRow {
    pub shard: i16,
    /// Position of the last event folded; 0 before the first.
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
}

/// A shard with events that are not folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaggingRow {
    pub shard: i16,
    pub entries: i64,
    /// Whether shards are distributed over a cluster, where a transaction may fold only one.
    pub distributed: bool,
}

/// The shards with events that are not folded, ordered by shard.
pub async fn list_lagging_shards(executor: impl PgExecutor<'_>) -> Result<Vec<LaggingRow>, sqlx::Error> {
    sqlx::query_as!(
        LaggingRow,
        r#"select shard, head.position - progress.position as "entries!",
               (select distributed from installation) as "distributed!"
           from shard_head head join fold_progress progress using (shard)
           where head.position > progress.position
           order by shard"#
    )
    .fetch_all(executor)
    .await
}

/// Locks shards for folding until the end of the transaction; skips those that another process folds.
pub async fn lock_progress(executor: impl PgExecutor<'_>, shards: &[i16]) -> Result<Vec<ProgressRow>, sqlx::Error> {
    sqlx::query_as!(
        ProgressRow,
        "select shard, position, recorded_at from fold_progress where shard = any ($1)
         order by shard for update skip locked",
        shards
    )
    .fetch_all(executor)
    .await
}

/// Saves the folding progress of shards.
pub async fn update_progress(executor: impl PgExecutor<'_>, folded: &[ProgressRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update fold_progress progress set position = folded.position, recorded_at = folded.recorded_at
         from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as folded (shard, position, recorded_at)
         where progress.shard = folded.shard and progress.shard = any ($1)",
        &column(folded, |folded| folded.shard),
        &column(folded, |folded| folded.position),
        &column(folded, |folded| folded.recorded_at)
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The lag of folding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagRow {
    pub entries: i64,
    pub oldest_recorded_at: Option<DateTime<Utc>>,
}

/// The lag of folding over all shards.
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
