//! The registry: ingest domains with their keys and secret paths, and tokens. Each process caches all of it in memory.
//!
//! - [`master_key`]: encryption of keys at rest; [`master_keys`]: the source of the master key; [`rotation`]: its
//!   rotation.
//! - [`admin`]: changes of the registry.
//! - [`installation`]: preparation of the database.
//! - [`watch`]: keeps the cache in memory up to date.
//! - [`cache`]: a cache on disk, for a start while the database is unreachable.
//! - [`start`]: the state that a process starts with.
//!
//! Every callback and every request reads a [`Registry`]. It is immutable: a change creates a new one.

pub(crate) mod admin;
mod cache;
pub mod installation;
pub mod master_key;
pub mod master_keys;
pub mod rotation;
pub(crate) mod start;
pub(crate) mod watch;

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
use crate::store::relay::RelayedDomainRow;
use crate::store::signing_key::SigningKeyRow;
use master_key::{MasterKey, MasterKeyError, SealingKey};

/// A registered domain with its decrypted keys.
pub struct Domain {
    pub policy: DomainPolicy,
    pub rendition_templates: Vec<String>,
    /// The webhooks that relay its callbacks.
    pub relays: Vec<Uuid>,
    callback_token_hash: Option<[u8; 32]>,
}

/// A snapshot of the whole registry.
#[derive(Clone)]
pub struct Registry {
    version: i64,
    pub master_key: Arc<MasterKey>,
    /// Encrypts kept rejections; `None` if it is damaged.
    pub rejection_key: Option<Arc<SealingKey>>,
    domains: Arc<HashMap<String, Domain>>,
    pub tokens: Tokens,
}

/// The registry as it is stored: keys encrypted, tokens hashed.
#[derive(Clone, Serialize, Deserialize)]
pub struct RegistryRows {
    pub installation: InstallationRow,
    domains: Vec<DomainRow>,
    keys: Vec<SigningKeyRow>,
    tokens: Vec<AccessTokenRow>,
    signed_out: Vec<Uuid>,
    #[serde(default)]
    relayed_domains: Vec<RelayedDomainRow>,
}

impl RegistryRows {
    /// Reads everything in one snapshot.
    pub async fn read(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let mut snapshot = store::snapshot::begin(pool).await?;
        let installation = store::installation::get_installation(&mut *snapshot).await?;
        let rows = Self {
            installation: installation.ok_or(sqlx::Error::RowNotFound)?,
            domains: store::domain::list_domains(&mut *snapshot).await?,
            keys: store::signing_key::list_signing_keys(&mut *snapshot).await?,
            tokens: store::access_token::list_access_tokens(&mut *snapshot).await?,
            signed_out: store::signed_out::list_signed_out(&mut *snapshot).await?,
            relayed_domains: store::relay::list_relayed_domains(&mut *snapshot).await?,
        };
        snapshot.commit().await?;
        Ok(rows)
    }
}

impl Registry {
    /// Decrypts the keys.
    pub fn of(rows: &RegistryRows, master_key: Arc<MasterKey>, admin_token: &SecretString) -> Self {
        let opened = |row: &DomainRow| {
            let relayed = rows.relayed_domains.iter().filter(|relayed| relayed.domain == row.domain);
            let relays = relayed.map(|relayed| relayed.webhook_id).collect();
            (row.domain.clone(), Domain { relays, ..domain_of(row.clone(), &rows.keys, &master_key) })
        };
        Self {
            version: rows.installation.registry_version,
            rejection_key: open_rejection_key(&rows.installation, &master_key).map(Arc::new),
            domains: Arc::new(rows.domains.iter().map(opened).collect()),
            tokens: Tokens::new(&rows.tokens, &rows.signed_out, admin_token),
            master_key,
        }
    }

    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.get(name)
    }

    pub fn number_of_domains(&self) -> usize {
        self.domains.len()
    }

    /// Grows with every change.
    pub fn version(&self) -> i64 {
        self.version
    }
}

impl Domain {
    /// The kind of path that a callback was sent to, by the hash of the token in it. Compares in constant time.
    pub fn path_of(&self, callback_token_hash: Option<&[u8; 32]>) -> CallbackRoute {
        use subtle::ConstantTimeEq;
        match (callback_token_hash, &self.callback_token_hash) {
            (None, _) => CallbackRoute::Open,
            (Some(sent), Some(hash)) if bool::from(hash.ct_eq(sent)) => CallbackRoute::Secret,
            (Some(_), Some(_) | None) => CallbackRoute::WrongSecret,
        }
    }
}

/// The stored hash of a callback token.
pub fn hash_callback_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A domain with its keys, decrypted. Skips and logs unusable keys, so that they do not affect other domains.
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
        relays: Vec::new(),
        callback_token_hash: row.callback_token_hash.and_then(|hash| hash.try_into().ok()),
    }
}

/// Decrypts the key of kept rejections; logs that it is damaged.
pub fn open_rejection_key(installation: &InstallationRow, master_key: &MasterKey) -> Option<SealingKey> {
    let opened = master_key.open_rejection_key(installation.installation_id, &installation.sealed_rejection_key);
    opened
        .inspect_err(|_| {
            tracing::error!("the key of kept rejections cannot be decrypted: rejected callbacks are counted, not kept");
        })
        .ok()
}

/// Decrypts the key of a row.
///
/// # Errors
/// [`MasterKeyError::Wrong`] if it was encrypted with another master key, or altered.
pub fn open_key(row: &SigningKeyRow, master_key: &MasterKey) -> Result<SecretString, MasterKeyError> {
    master_key.open(row.key_id, &row.domain, &row.sealed_key)
}
