//! Reading several things as of one moment.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, PgTransaction};

/// Begins a transaction that only reads, and reads everything as of its first statement.
///
/// # Errors
/// Those of the database.
pub async fn begin(pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
    pool.begin_with("begin isolation level repeatable read read only").await
}

/// When the transaction began, by the database's clock.
///
/// # Errors
/// Those of the database.
pub async fn get_transaction_time(executor: impl PgExecutor<'_>) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(executor).await
}
