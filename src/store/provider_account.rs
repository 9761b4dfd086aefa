//! Provider accounts, whose secret keys are encrypted with the master key.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::polling::PollMode;

/// A provider account. Its secret key is opened by `polling::secrets`.
#[derive(Clone)]
pub struct ProviderAccountRow {
    pub account_id: Uuid,
    pub name: String,
    /// Base URL of the provider's API, without a path.
    pub endpoint: String,
    pub project_id: String,
    pub access_key: String,
    pub sealed_secret_key: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Counts changes of what a poller has loaded.
    pub version: i32,
}

/// All accounts, by name.
pub async fn list_provider_accounts(executor: impl PgExecutor<'_>) -> Result<Vec<ProviderAccountRow>, sqlx::Error> {
    sqlx::query_as!(
        ProviderAccountRow,
        "select account_id, name, endpoint, project_id, access_key, sealed_secret_key, created_at, updated_at, version
         from provider_account order by name"
    )
    .fetch_all(executor)
    .await
}

pub async fn get_provider_account(
    executor: impl PgExecutor<'_>,
    account_id: Uuid,
) -> Result<Option<ProviderAccountRow>, sqlx::Error> {
    sqlx::query_as!(
        ProviderAccountRow,
        "select account_id, name, endpoint, project_id, access_key, sealed_secret_key, created_at, updated_at, version
         from provider_account where account_id = $1",
        account_id
    )
    .fetch_optional(executor)
    .await
}

pub async fn insert_provider_account(
    executor: impl PgExecutor<'_>,
    row: &ProviderAccountRow,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into provider_account
             (account_id, name, endpoint, project_id, access_key, sealed_secret_key, created_at, updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        row.account_id,
        row.name,
        row.endpoint,
        row.project_id,
        row.access_key,
        row.sealed_secret_key,
        row.created_at,
        row.updated_at
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Changes an account. False when there is none.
pub async fn update_provider_account(
    executor: impl PgExecutor<'_>,
    row: &ProviderAccountRow,
) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query!(
        "update provider_account
         set name = $2, endpoint = $3, project_id = $4, access_key = $5, sealed_secret_key = $6, updated_at = $7,
             version = version + 1
         where account_id = $1",
        row.account_id,
        row.name,
        row.endpoint,
        row.project_id,
        row.access_key,
        row.sealed_secret_key,
        row.updated_at
    )
    .execute(executor)
    .await?;
    Ok(updated.rows_affected() > 0)
}

/// Replaces the ciphertext of a secret key.
pub async fn update_sealed_secret_key(
    executor: impl PgExecutor<'_>,
    account_id: Uuid,
    sealed_secret_key: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update provider_account set sealed_secret_key = $2 where account_id = $1",
        account_id,
        sealed_secret_key
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Deletes an account that no domain uses. False when there is none.
pub async fn delete_provider_account(executor: impl PgExecutor<'_>, account_id: Uuid) -> Result<bool, sqlx::Error> {
    let deleted =
        sqlx::query!("delete from provider_account where account_id = $1", account_id).execute(executor).await?;
    Ok(deleted.rows_affected() > 0)
}

/// A domain that has a provider account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDomainRow {
    pub domain: String,
    pub account_id: Uuid,
    pub poll_mode: PollMode,
    pub created_at: DateTime<Utc>,
    /// The apps whose callbacks are accepted; `None`: all.
    pub apps: Option<Vec<String>>,
}

/// The domains that have a provider account, polled or not, by name.
pub async fn list_account_domains(executor: impl PgExecutor<'_>) -> Result<Vec<AccountDomainRow>, sqlx::Error> {
    sqlx::query_as!(
        AccountDomainRow,
        r#"select domain, provider_account_id as "account_id!", poll_mode, created_at, apps
           from ingest_domain where provider_account_id is not null order by domain"#
    )
    .fetch_all(executor)
    .await
}
