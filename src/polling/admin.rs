//! Creates, changes and deletes provider accounts.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use uuid::Uuid;

use super::client::{AccessKey, ProviderClient, access_key_ending};
use super::secrets::seal_secret_key;
use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::registry::master_key::{MasterKey, MasterKeyError};
use crate::registry::master_keys::MasterKeys;
use crate::store;
use crate::store::provider_account::ProviderAccountRow;

/// The most accounts of an installation.
const MAX_ACCOUNTS: usize = 50;

/// What is wrong with another endpoint without keys.
pub const KEYS_FOR_ENDPOINT: &str = "must be given again, with its secret key, for another endpoint";

/// The settings of an account.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    pub name: String,
    pub endpoint: String,
    pub project_id: String,
    /// `None`: unchanged. A new account has one.
    pub keys: Option<AccessKeys>,
}

/// An access key and its secret key, which belong together.
#[derive(Debug, Clone)]
pub struct AccessKeys {
    pub access_key: AccessKey,
    pub secret_key: SecretString,
}

impl AccessKeys {
    /// `None` without either.
    ///
    /// # Errors
    /// One is given without the other.
    pub fn from_both(
        access_key: Option<String>,
        secret_key: Option<SecretString>,
    ) -> Result<Option<Self>, AccountError> {
        match (access_key, secret_key) {
            (Some(access_key), Some(secret_key)) => Ok(Some(Self { access_key: access_key.into(), secret_key })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(invalid("access_key", "must be given together with secret_key")),
            (Some(_), None) => Err(invalid("secret_key", "must be given together with access_key")),
        }
    }
}

impl AccountSettings {
    /// The settings that an account has.
    pub fn of(row: &ProviderAccountRow) -> Self {
        Self { name: row.name.clone(), endpoint: row.endpoint.clone(), project_id: row.project_id.clone(), keys: None }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A member is invalid.
    #[error("{name}: {reason}")]
    Invalid { name: &'static str, reason: String },
    /// With the endpoint alone, requests could be signed for any host, by an administrator who does not know the keys.
    #[error("access_key: {KEYS_FOR_ENDPOINT}")]
    KeysForEndpoint,
    #[error("provider account not found")]
    NotFound,
    #[error("another provider account has this name")]
    NameTaken,
    #[error("there are {MAX_ACCOUNTS} provider accounts already")]
    TooMany,
    #[error("the provider account is used by {0}: set another one there first")]
    InUse(String),
    /// The master key is missing or wrong.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error("the database failed to store the change")]
    Database(#[from] sqlx::Error),
}

/// What administrators' changes need.
pub struct AccountAdmin<'a> {
    pub pool: &'a PgPool,
    pub master_keys: &'a MasterKeys,
    pub client: &'a ProviderClient,
}

impl AccountAdmin<'_> {
    /// # Errors
    /// [`AccountError::Invalid`] names the invalid member.
    pub async fn create(
        &self,
        actor: &Actor,
        settings: AccountSettings,
        now: DateTime<Utc>,
    ) -> Result<ProviderAccountRow, AccountError> {
        let endpoint = self.check(&settings)?;
        let AccessKeys { access_key, secret_key } = settings.keys.ok_or_else(|| invalid("access_key", "is missing"))?;
        let account_id = Uuid::new_v4();
        let mut transaction = self.pool.begin().await?;
        store::installation::lock_registry(&mut *transaction).await?;
        let others = store::provider_account::list_provider_accounts(&mut *transaction).await?;
        if others.len() >= MAX_ACCOUNTS {
            return Err(AccountError::TooMany);
        }
        reject_taken_name(&others, account_id, &settings.name)?;
        let master_key = self.master_key(&mut transaction).await?;
        let row = ProviderAccountRow {
            account_id,
            name: settings.name,
            endpoint,
            project_id: settings.project_id,
            access_key: access_key.into_string(),
            sealed_secret_key: seal_secret_key(&master_key, account_id, &secret_key),
            created_at: now,
            updated_at: now,
            version: 0,
        };
        store::provider_account::insert_provider_account(&mut *transaction, &row).await?;
        let subject = Subject { id: Some(account_id), details: Some(details_of(&row)), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::ProviderAccountCreated, subject).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// # Errors
    /// [`AccountError::Invalid`] names the invalid member.
    pub async fn change(
        &self,
        actor: &Actor,
        account_id: Uuid,
        settings: AccountSettings,
        now: DateTime<Utc>,
    ) -> Result<ProviderAccountRow, AccountError> {
        let endpoint = self.check(&settings)?;
        let mut transaction = self.pool.begin().await?;
        store::installation::lock_registry(&mut *transaction).await?;
        let rows = store::provider_account::list_provider_accounts(&mut *transaction).await?;
        let before = rows.iter().find(|row| row.account_id == account_id).ok_or(AccountError::NotFound)?;
        reject_taken_name(&rows, account_id, &settings.name)?;
        if settings.keys.is_none() && endpoint != before.endpoint {
            return Err(AccountError::KeysForEndpoint);
        }
        let mut row = ProviderAccountRow {
            name: settings.name,
            endpoint,
            project_id: settings.project_id,
            updated_at: now,
            version: before.version + 1,
            ..before.clone()
        };
        let has_new_keys = settings.keys.is_some();
        if let Some(AccessKeys { access_key, secret_key }) = settings.keys {
            let master_key = self.master_key(&mut transaction).await?;
            row.access_key = access_key.into_string();
            row.sealed_secret_key = seal_secret_key(&master_key, account_id, &secret_key);
        }
        store::provider_account::update_provider_account(&mut *transaction, &row).await?;
        let details = json!({
            "before": details_of(before),
            "after": details_of(&row),
            "secret_key_replaced": has_new_keys,
        });
        let subject = Subject { id: Some(account_id), details: Some(details), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::ProviderAccountChanged, subject).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Deletes an account with its secret key.
    ///
    /// # Errors
    /// [`AccountError::InUse`] while a domain has it, polled or not.
    pub async fn remove(&self, actor: &Actor, account_id: Uuid, now: DateTime<Utc>) -> Result<(), AccountError> {
        let mut transaction = self.pool.begin().await?;
        store::installation::lock_registry(&mut *transaction).await?;
        let users = store::provider_account::list_account_domains(&mut *transaction).await?;
        if let Some(user) = users.into_iter().find(|user| user.account_id == account_id) {
            return Err(AccountError::InUse(user.domain));
        }
        if !store::provider_account::delete_provider_account(&mut *transaction, account_id).await? {
            return Err(AccountError::NotFound);
        }
        let subject = Subject { id: Some(account_id), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::ProviderAccountRemoved, subject).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The endpoint as it is stored.
    fn check(&self, settings: &AccountSettings) -> Result<String, AccountError> {
        let AccountSettings { name, endpoint, project_id, keys } = settings;
        if !(1..=200).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(invalid("name", "must have 1 to 200 characters, no control characters"));
        }
        let endpoint = self.client.read_endpoint(endpoint).map_err(|error| invalid("endpoint", error.to_string()))?;
        // A part of the path, and a header.
        if !(1..=64).contains(&project_id.len()) || !project_id.bytes().all(is_word) {
            return Err(invalid("project_id", "must have 1 to 64 letters, digits, `_` and `-`"));
        }
        let endpoint = endpoint.origin().ascii_serialization();
        let Some(AccessKeys { access_key, secret_key }) = keys else { return Ok(endpoint) };
        let access_key = access_key.as_str();
        if !(8..=64).contains(&access_key.len()) || !access_key.bytes().all(is_word) {
            return Err(invalid("access_key", "must have 8 to 64 letters, digits, `_` and `-`"));
        }
        let secret_key = secret_key.expose_secret();
        if !(8..=128).contains(&secret_key.len()) || !secret_key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("secret_key", "must have 8 to 128 visible ASCII characters"));
        }
        Ok(endpoint)
    }

    /// The current master key. Under the registry's lock, so that no rotation can happen in between.
    async fn master_key(&self, connection: &mut PgConnection) -> Result<Arc<MasterKey>, AccountError> {
        let check = store::installation::get_master_key_check(connection).await?;
        Ok(self.master_keys.find(&check.unwrap_or_default())?)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn reject_taken_name(rows: &[ProviderAccountRow], account_id: Uuid, name: &str) -> Result<(), AccountError> {
    let is_taken = rows.iter().any(|row| row.account_id != account_id && row.name == name);
    if is_taken { Err(AccountError::NameTaken) } else { Ok(()) }
}

fn invalid(name: &'static str, reason: impl Into<String>) -> AccountError {
    AccountError::Invalid { name, reason: reason.into() }
}

/// An account's settings for the audit log.
fn details_of(row: &ProviderAccountRow) -> Value {
    json!({
        "name": row.name,
        "endpoint": row.endpoint,
        "project_id": row.project_id,
        "access_key_ending": access_key_ending(&row.access_key),
    })
}
