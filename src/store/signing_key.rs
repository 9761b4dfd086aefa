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
}

/// All keys of all domains, newest first.
pub async fn list_signing_keys(executor: impl PgExecutor<'_>) -> Result<Vec<SigningKeyRow>, sqlx::Error> {
    sqlx::query_as!(
        SigningKeyRow,
        "select key_id, domain, sealed_key, created_at from signing_key order by created_at desc, key_id"
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

/// When a key last verified a callback.
#[derive(Debug, Clone)]
pub struct KeyUseRow {
    pub key_id: Uuid,
    /// When the newest callback that it verified was recorded.
    pub last_used_at: DateTime<Utc>,
}

/// The keys of a domain that verified any of the newest `entries` events of the log, which are of all domains.
pub async fn list_key_uses(
    executor: impl PgExecutor<'_>,
    domain: &str,
    entries: i64,
) -> Result<Vec<KeyUseRow>, sqlx::Error> {
    sqlx::query_as!(
        KeyUseRow,
        r#"select key_id as "key_id!", max(recorded_at) as "last_used_at!"
         from (select domain, key_id, recorded_at from log_entry order by recorded_at desc limit $2) newest
         where domain = $1 and key_id is not null
         group by key_id"#,
        domain,
        entries
    )
    .fetch_all(executor)
    .await
}
