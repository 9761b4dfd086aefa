//! Fixes an `as_of`: afterwards, no event is recorded at or before it.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// The position that a shard's log had reached when an `as_of` was fixed.
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
    /// When the newest event was recorded, or the newest `as_of` that was fixed.
    pub recorded_to: DateTime<Utc>,
}

pub async fn get_log_times(executor: impl PgExecutor<'_>) -> Result<LogTimesRow, sqlx::Error> {
    sqlx::query_as!(
        LogTimesRow,
        r#"select clock_timestamp() as "database_time!", max(recorded_at) as "recorded_to!" from shard_head"#
    )
    .fetch_one(executor)
    .await
}

/// The position that each shard's log has reached, ordered by shard, if the given `as_of` is fixed already.
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

/// Fixes the given `as_of`, or the latest possible one: every later append is recorded later, even if the clock goes
/// back.
///
/// Waits for appends in progress. Like an append, it locks the head rows in the order of their shards, then reads the
/// clock. The latest `as_of` is at most `not_after`, in case the clock jumps meanwhile.
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

/// Whether events up to `at` are not folded yet, given the position of each shard at that time.
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
