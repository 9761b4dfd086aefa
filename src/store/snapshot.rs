//! Reading several things as of one moment.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, PgTransaction};

/// Begins a transaction that only reads, and reads everything as of its first statement.
pub async fn begin(pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
    pool.begin_with("begin isolation level repeatable read read only").await
}

/// The moment that what the transaction reads is of, by the database's clock: when it began, or, on a replica, when the
/// last change that has come through was made.
pub async fn get_transaction_time(executor: impl PgExecutor<'_>) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select case when pg_is_in_recovery() then least(now(), pg_last_xact_replay_timestamp()) else now() end
           as "as_of!""#
    )
    .fetch_one(executor)
    .await
}
