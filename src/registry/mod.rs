//! Who may send: ingest domains, their keys and secret paths. And the copy of all that each process keeps in memory.
//!
//! - [`master_key`]: keys at rest; [`master_keys`]: where the master key is; [`rotation`]: changing it.
//! - [`admin`]: changing what is registered.
//! - [`installation`]: making the database ready.
//! - [`watch`]: keeping the copy in memory true.
//! - [`cache`]: another one on disk, should the database be away when a process starts.
//! - [`start`]: what a process starts with.
//!
//! A [`Registry`] is read on every callback and every request, and never changes: a change makes a new one.

pub mod admin;
pub mod cache;
pub mod installation;
pub mod master_key;
pub mod master_keys;
pub mod rotation;
pub mod start;
pub mod watch;

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use crate::access::Tokens;
use crate::huawei::admission::{CallbackRoute, DomainPolicy};
use crate::huawei::signature::SigningKey;
use crate::store;
use crate::store::access_token::AccessTokenRow;
use crate::store::domain::DomainRow;
use crate::store::installation::InstallationRow;
use crate::store::signing_key::SigningKeyRow;
use master_key::{MasterKey, MasterKeyError};

/// A registered domain, ready for use.
pub struct Domain {
    pub policy: DomainPolicy,
    pub rendition_templates: Vec<String>,
    callback_token_hash: Option<[u8; 32]>,
}

/// Everything that is registered, at one moment.
#[derive(Clone)]
pub struct Registry {
    version: i64,
    pub master_key: Arc<MasterKey>,
    domains: Arc<HashMap<String, Domain>>,
    pub tokens: Tokens,
}

/// All that is registered as it is kept: keys sealed, tokens hashed.
#[derive(Clone, Serialize, Deserialize)]
pub struct RegistryRows {
    pub installation: InstallationRow,
    domains: Vec<DomainRow>,
    keys: Vec<SigningKeyRow>,
    tokens: Vec<AccessTokenRow>,
    signed_out: Vec<Uuid>,
}

impl RegistryRows {
    /// Reads everything, in one snapshot.
    pub async fn read(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let mut snapshot = store::snapshot::begin(pool).await?;
        let installation = store::installation::get_installation(&mut *snapshot).await?;
        let rows = Self {
            installation: installation.ok_or(sqlx::Error::RowNotFound)?,
            domains: store::domain::list_domains(&mut *snapshot).await?,
            keys: store::signing_key::list_signing_keys(&mut *snapshot).await?,
            tokens: store::access_token::list_access_tokens(&mut *snapshot).await?,
            signed_out: store::signed_out::list_signed_out(&mut *snapshot).await?,
        };
        snapshot.commit().await?;
        Ok(rows)
    }
}

impl Registry {
    /// What these rows register, ready for use.
    pub fn of(rows: &RegistryRows, master_key: Arc<MasterKey>, admin_token: &SecretString) -> Self {
        let opened = |row: &DomainRow| (row.domain.clone(), domain_of(row.clone(), &rows.keys, &master_key));
        Self {
            version: rows.installation.registry_version,
            domains: Arc::new(rows.domains.iter().map(opened).collect()),
            tokens: Tokens::new(&rows.tokens, &rows.signed_out, admin_token),
            master_key,
        }
    }

    /// The domain of exactly this name.
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.get(name)
    }
}

impl Domain {
    /// What kind of path a message came in by; compared in constant time.
    pub fn path_of(&self, callback_token: Option<&str>) -> CallbackRoute {
        use subtle::ConstantTimeEq;
        let Some(token) = callback_token else { return CallbackRoute::Open };
        match self.callback_token_hash {
            Some(hash) if bool::from(hash.ct_eq(&hash_callback_token(token))) => CallbackRoute::Secret,
            _ => CallbackRoute::WrongSecret,
        }
    }
}

/// The hash under which the secret part of a callback path is kept.
pub fn hash_callback_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A domain's row with its keys, opened. A key that cannot be used is reported and left out, so that it harms no other.
pub fn domain_of(row: DomainRow, keys: &[SigningKeyRow], master_key: &MasterKey) -> Domain {
    let keys = keys.iter().filter(|key| key.domain == row.domain).filter_map(|key| {
        let opened = open_key(key, master_key)
            .inspect_err(|_| {
                tracing::error!(
                    key_id = %key.key_id,
                    domain = row.domain,
                    "this key cannot be decrypted: callbacks signed with it are rejected; remove it and add it again"
                );
            })
            .ok()?;
        Some((key.key_id, SigningKey::new(opened.expose_secret())))
    });
    Domain {
        policy: DomainPolicy { signature: row.signature, apps: row.apps, joiner: row.joiner, keys: keys.collect() },
        rendition_templates: row.rendition_templates,
        callback_token_hash: row.callback_token_hash.and_then(|hash| hash.try_into().ok()),
    }
}

/// The key of a row, opened.
///
/// # Errors
/// [`MasterKeyError::Wrong`] when it was sealed under another master key, or changed since.
pub fn open_key(row: &SigningKeyRow, master_key: &MasterKey) -> Result<SecretString, MasterKeyError> {
    master_key.open(row.key_id, &row.domain, &row.sealed_key)
}
