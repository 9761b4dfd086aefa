//! How far each shard has been folded.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::column;

/// How far a shard has been folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressRow {
    pub shard: i16,
    /// Position of the last entry folded; 0 before the first.
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
}

/// A shard whose log reaches further than its folding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaggingRow {
    pub shard: i16,
    pub entries: i64,
    /// Whether shards are spread over a cluster, which takes only one for a transaction.
    pub distributed: bool,
}

/// The shards whose log reaches further than their folding, in their order.
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

/// Takes shards for folding, to the end of the transaction: those of these that no other folder has.
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

/// Says how far shards have been folded.
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

/// How far folding is behind the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagRow {
    pub entries: i64,
    pub oldest_recorded_at: Option<DateTime<Utc>>,
}

/// How far folding is behind, over all shards.
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
