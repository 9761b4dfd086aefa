//! Tokens; only their hashes are stored.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::access::Scope;

#[derive(Clone, Serialize, Deserialize)]
pub struct AccessTokenRow {
    pub token_id: Uuid,
    pub name: String,
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    pub scopes: Vec<Scope>,
    /// The domains that the token may access; `None`: all.
    pub domains: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, as far as that has been saved.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// All tokens, oldest first.
pub async fn list_access_tokens(executor: impl PgExecutor<'_>) -> Result<Vec<AccessTokenRow>, sqlx::Error> {
    sqlx::query_as!(
        AccessTokenRow,
        "select token_id, name, token_hash, scopes, domains, created_at, expires_at, last_used_at
         from access_token order by created_at, token_id"
    )
    .fetch_all(executor)
    .await
}

pub async fn insert_access_token(executor: impl PgExecutor<'_>, row: &AccessTokenRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into access_token (token_id, name, token_hash, scopes, domains, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        row.token_id,
        row.name,
        row.token_hash,
        &row.scopes as _,
        row.domains.as_deref(),
        row.created_at,
        row.expires_at
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Deletes a token. False when it does not exist.
pub async fn delete_access_token(executor: impl PgExecutor<'_>, token_id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from access_token where token_id = $1", token_id).execute(executor).await?;
    Ok(done.rows_affected() > 0)
}

/// Saves when tokens were last used. Ignores tokens that do not exist.
pub async fn update_last_uses(
    executor: impl PgExecutor<'_>,
    token_ids: &[Uuid],
    times: &[DateTime<Utc>],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update access_token token
         set last_used_at = greatest(token.last_used_at, used.last_used_at)
         from unnest($1::uuid[], $2::timestamptz[]) as used (token_id, last_used_at)
         where token.token_id = used.token_id",
        token_ids,
        times
    )
    .execute(executor)
    .await?;
    Ok(())
}
