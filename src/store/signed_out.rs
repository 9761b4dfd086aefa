//! Sign-ins to the dashboard that were ended by signing out.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// The ids of all ended sign-ins.
pub async fn list_signed_out(executor: impl PgExecutor<'_>) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select sign_in_id from signed_out").fetch_all(executor).await
}

/// Inserts an ended sign-in, unless it exists.
pub async fn insert_signed_out(
    executor: impl PgExecutor<'_>,
    sign_in_id: Uuid,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into signed_out (sign_in_id, until) values ($1, $2) on conflict (sign_in_id) do nothing",
        sign_in_id,
        until
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Deletes those that have expired anyway.
pub async fn delete_ended(executor: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from signed_out where until <= $1", now).execute(executor).await?;
    Ok(())
}
