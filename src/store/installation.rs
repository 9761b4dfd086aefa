//! The single row with the parameters that the installation was created with.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

/// The parameters that the installation was created with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationRow {
    pub installation_id: Uuid,
    pub shards: i16,
    /// Whether shards are distributed over a Citus cluster: then each is appended to on its own node.
    pub distributed: bool,
    pub master_key_check: Vec<u8>,
    pub sealed_rejection_key: Vec<u8>,
    pub registry_version: i64,
}

/// Creates the installation unless it exists.
pub async fn insert_installation(
    executor: impl PgExecutor<'_>,
    installation_id: Uuid,
    shards: i16,
    master_key_check: &[u8],
    sealed_rejection_key: &[u8],
    created_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into installation (
             installation_id, shards, master_key_check, sealed_rejection_key, created_at, distributed)
         values ($1, $2, $3, $4, $5, exists (select from pg_extension where extname = 'citus'))
         on conflict (only_row) do nothing",
        installation_id,
        shards,
        master_key_check,
        sealed_rejection_key,
        created_at
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Creates the head, the horizon and the progress of each shard, unless they exist.
pub async fn insert_shards(executor: impl PgExecutor<'_>, shards: i16) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with heads as (
             insert into shard_head (shard, position, recorded_at)
             select number::smallint, 0, 'epoch' from generate_series(0, $1::integer - 1) as number
             on conflict (shard) do nothing
         ),
         horizons as (
             insert into log_horizon (shard, position, recorded_at, personal_position)
             select number::smallint, 0, 'epoch', 0 from generate_series(0, $1::integer - 1) as number
             on conflict (shard) do nothing
         )
         insert into fold_progress (shard, position, recorded_at)
         select number::smallint, 0, 'epoch' from generate_series(0, $1::integer - 1) as number
         on conflict (shard) do nothing",
        i32::from(shards)
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The installation; `None` before the first start.
pub async fn get_installation(executor: impl PgExecutor<'_>) -> Result<Option<InstallationRow>, sqlx::Error> {
    sqlx::query_as!(
        InstallationRow,
        "select installation_id, shards, distributed, master_key_check, sealed_rejection_key, registry_version
         from installation"
    )
    .fetch_optional(executor)
    .await
}

/// The check value of the installation's master key, for any version of the schema; `None` before the first start.
pub async fn get_master_key_check(executor: impl PgExecutor<'_>) -> Result<Option<Vec<u8>>, sqlx::Error> {
    const UNDEFINED_TABLE: &str = "42P01";
    let check = sqlx::query_scalar!("select master_key_check from installation").fetch_optional(executor).await;
    match check {
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == UNDEFINED_TABLE) => Ok(None),
        check => check,
    }
}

/// Saves the check value of a new master key, and what it encrypts in this row.
pub async fn update_master_key(
    executor: impl PgExecutor<'_>,
    check: &[u8],
    sealed_rejection_key: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update installation set master_key_check = $1, sealed_rejection_key = $2",
        check,
        sealed_rejection_key
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Increments the registry's version, which blocks other changes of the registry until this transaction ends. Its
/// commit notifies listening processes.
pub async fn lock_registry(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with changed as (update installation set registry_version = registry_version + 1 returning 1)
         select pg_notify($1, '') from changed",
        super::channel::REGISTRY
    )
    .execute(executor)
    .await?;
    Ok(())
}
