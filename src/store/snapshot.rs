//! Snapshots: several statements that read the same state.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, PgTransaction};

/// Begins a read-only transaction, whose snapshot is that of its first statement.
pub async fn begin(pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
    pool.begin_with("begin isolation level repeatable read read only").await
}

/// The time of the transaction's snapshot, by the database's clock: when the transaction began, or, on a replica, when
/// the last replayed change was committed.
pub async fn get_transaction_time(executor: impl PgExecutor<'_>) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select case when pg_is_in_recovery() then least(now(), pg_last_xact_replay_timestamp()) else now() end
           as "as_of!""#
    )
    .fetch_one(executor)
    .await
}
