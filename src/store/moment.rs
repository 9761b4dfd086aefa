//! Closing a moment: from then on nothing is recorded at it or before it any more.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// How far a shard's log reached when a moment was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReachRow {
    pub at: DateTime<Utc>,
    pub shard: i16,
    pub position: i64,
}

/// The database's clock, and how far the log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTimesRow {
    pub database_time: DateTime<Utc>,
    /// When the newest event was recorded, or the newest moment was closed.
    pub recorded_to: DateTime<Utc>,
}

/// The database's clock, and how far the log reaches.
pub async fn get_log_times(executor: impl PgExecutor<'_>) -> Result<LogTimesRow, sqlx::Error> {
    sqlx::query_as!(
        LogTimesRow,
        r#"select clock_timestamp() as "database_time!", max(recorded_at) as "recorded_to!" from shard_head"#
    )
    .fetch_one(executor)
    .await
}

/// How far each shard's log reaches, in their order, if a moment is closed already.
pub async fn list_closed_reaches(
    executor: impl PgExecutor<'_>,
    at: DateTime<Utc>,
) -> Result<Option<Vec<ReachRow>>, sqlx::Error> {
    let rows =
        sqlx::query!("select shard, position, recorded_at > $1 as \"closed!\" from shard_head order by shard", at)
            .fetch_all(executor)
            .await?;
    let closed = rows.iter().all(|row| row.closed);
    Ok(closed.then(|| rows.iter().map(|row| ReachRow { at, shard: row.shard, position: row.position }).collect()))
}

/// Closes a moment, or the latest there is: whatever is appended later is recorded later, whatever the clock does.
///
/// Waits for what is being appended. As an append does, it takes the head rows in the order of their shards, and reads the
/// clock after that. The latest moment is not after `not_after`, should the clock leap just then.
pub async fn close(
    executor: impl PgExecutor<'_>,
    at: Option<DateTime<Utc>>,
    not_after: DateTime<Utc>,
) -> Result<Vec<ReachRow>, sqlx::Error> {
    sqlx::query_as!(
        ReachRow,
        r#"select closed_at as "at!", shard as "shard!", position as "position!" from close_moment($1, $2)"#,
        at,
        not_after
    )
    .fetch_all(executor)
    .await
}

/// Whether entries up to a moment are not folded yet, by how far each shard's log reached then.
pub async fn has_unfolded(
    executor: impl PgExecutor<'_>,
    at: DateTime<Utc>,
    reaches: &[ReachRow],
) -> Result<bool, sqlx::Error> {
    let shards: Vec<i16> = reaches.iter().map(|reach| reach.shard).collect();
    let positions: Vec<i64> = reaches.iter().map(|reach| reach.position).collect();
    sqlx::query_scalar!(
        r#"select exists (
             select 1 from fold_progress progress
             join unnest($1::smallint[], $2::bigint[]) as reach (shard, position) using (shard)
             where progress.position < reach.position and progress.recorded_at <= $3
         ) as "unfolded!""#,
        &shards,
        &positions,
        at
    )
    .fetch_one(executor)
    .await
}
