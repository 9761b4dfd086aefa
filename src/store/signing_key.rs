//! Callback keys, encrypted with the master key.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

/// An encrypted key.
#[derive(Clone, Serialize, Deserialize)]
pub struct SigningKeyRow {
    pub key_id: Uuid,
    pub domain: String,
    pub sealed_key: Vec<u8>,
    pub created_at: DateTime<Utc>,
    /// When it last verified a callback, accurate to some seconds.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// All keys of all domains, newest first.
pub async fn list_signing_keys(executor: impl PgExecutor<'_>) -> Result<Vec<SigningKeyRow>, sqlx::Error> {
    sqlx::query_as!(
        SigningKeyRow,
        "select key_id, domain, sealed_key, created_at, last_used_at from signing_key
         order by created_at desc, key_id"
    )
    .fetch_all(executor)
    .await
}

pub async fn insert_signing_key(executor: impl PgExecutor<'_>, row: &SigningKeyRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into signing_key (key_id, domain, sealed_key, created_at) values ($1, $2, $3, $4)",
        row.key_id,
        row.domain,
        row.sealed_key,
        row.created_at
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Replaces the ciphertext of a key.
pub async fn update_sealed_key(
    executor: impl PgExecutor<'_>,
    key_id: Uuid,
    sealed_key: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!("update signing_key set sealed_key = $2 where key_id = $1", key_id, sealed_key)
        .execute(executor)
        .await?;
    Ok(())
}

/// Deletes a key of a domain. False when the domain has no such key.
pub async fn delete_signing_key(
    executor: impl PgExecutor<'_>,
    domain: &str,
    key_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from signing_key where domain = $1 and key_id = $2", domain, key_id)
        .execute(executor)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Saves when keys last verified a callback. Ignores keys that do not exist.
pub async fn update_last_uses(
    executor: impl PgExecutor<'_>,
    key_ids: &[Uuid],
    times: &[DateTime<Utc>],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update signing_key key
         set last_used_at = greatest(key.last_used_at, used.last_used_at)
         from unnest($1::uuid[], $2::timestamptz[]) as used (key_id, last_used_at)
         where key.key_id = used.key_id",
        key_ids,
        times
    )
    .execute(executor)
    .await?;
    Ok(())
}
