//! Ingest domains.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::access::{FieldSeparator, SignatureRule};
use crate::model::close_rule::CloseRule;
use crate::model::polling::PollMode;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DomainRow {
    pub domain: String,
    /// `required` or `none`.
    pub signature: SignatureRule,
    /// The apps that may send callbacks; `None`: all.
    pub apps: Option<Vec<String>>,
    pub joiner: FieldSeparator,
    pub rendition_templates: Vec<String>,
    pub concurrent_pushes: bool,
    /// See [`CloseRule`].
    pub close_unconfirmed_seconds: Option<i64>,
    /// SHA-256 of the secret in the secret path.
    pub callback_token_hash: Option<Vec<u8>>,
    // Caches on disk of the version before have neither.
    #[serde(default)]
    pub poll_mode: PollMode,
    /// `None`: not polled.
    #[serde(default)]
    pub provider_account_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl DomainRow {
    pub fn close_rule(&self) -> CloseRule {
        CloseRule::of_seconds(self.close_unconfirmed_seconds)
    }
}

pub async fn list_domains(executor: impl PgExecutor<'_>) -> Result<Vec<DomainRow>, sqlx::Error> {
    sqlx::query_as!(
        DomainRow,
        "select domain, signature, apps, joiner, rendition_templates, concurrent_pushes, close_unconfirmed_seconds,
                callback_token_hash, poll_mode, provider_account_id, created_at, updated_at
         from ingest_domain order by domain"
    )
    .fetch_all(executor)
    .await
}

pub async fn get_domain(executor: impl PgExecutor<'_>, domain: &str) -> Result<Option<DomainRow>, sqlx::Error> {
    sqlx::query_as!(
        DomainRow,
        "select domain, signature, apps, joiner, rendition_templates, concurrent_pushes, close_unconfirmed_seconds,
                callback_token_hash, poll_mode, provider_account_id, created_at, updated_at
         from ingest_domain where domain = $1",
        domain
    )
    .fetch_optional(executor)
    .await
}

/// Registers or updates a domain; its keys, secret path and `created_at` stay.
pub async fn upsert_domain(executor: impl PgExecutor<'_>, row: &DomainRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into ingest_domain
             (domain, signature, apps, joiner, rendition_templates, concurrent_pushes, close_unconfirmed_seconds,
              poll_mode, provider_account_id, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict (domain) do update set
             signature = excluded.signature, apps = excluded.apps, joiner = excluded.joiner,
             rendition_templates = excluded.rendition_templates, concurrent_pushes = excluded.concurrent_pushes,
             close_unconfirmed_seconds = excluded.close_unconfirmed_seconds, poll_mode = excluded.poll_mode,
             provider_account_id = excluded.provider_account_id, updated_at = excluded.updated_at",
        row.domain,
        row.signature.as_str(),
        row.apps.as_deref(),
        row.joiner.as_str(),
        &row.rendition_templates,
        row.concurrent_pushes,
        row.close_unconfirmed_seconds,
        row.poll_mode.as_str(),
        row.provider_account_id,
        row.created_at,
        row.updated_at
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Sets a new secret path. False when the domain does not exist.
pub async fn update_callback_token_hash(
    executor: impl PgExecutor<'_>,
    domain: &str,
    hash: &[u8],
    updated_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update ingest_domain set callback_token_hash = $2, updated_at = $3 where domain = $1",
        domain,
        hash,
        updated_at
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes a domain and its keys; its history stays. False when the domain does not exist.
pub async fn delete_domain(executor: impl PgExecutor<'_>, domain: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from ingest_domain where domain = $1", domain).execute(executor).await?;
    Ok(done.rows_affected() > 0)
}
