//! Who may send: ingest domains, their keys and secret paths. And the copy of all that each process keeps in memory.
//!
//! - [`master_key`]: keys at rest.
//! - [`admin`]: changing what is registered.
//! - [`watch`]: keeping the copy in memory true.
//!
//! A [`Registry`] is read on every callback and every request, and never changes: a change makes a new one.

pub mod admin;
pub mod installation;
pub mod master_key;
pub mod watch;

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use crate::access::Tokens;
use crate::huawei::admission::{DomainPolicy, Path, SignatureRule};
use crate::huawei::signature::{Joiner, SigningKey};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;
use master_key::{MasterKey, MasterKeyError};

/// A registered domain, ready for use.
pub struct Domain {
    /// What admission needs to know.
    pub policy: DomainPolicy,
    /// The templates whose renditions are notified.
    pub rendition_templates: Vec<String>,
    callback_token_hash: Option<[u8; 32]>,
}

/// Everything that is registered, at one moment.
#[derive(Clone, Default)]
pub struct Registry {
    version: i64,
    domains: Arc<HashMap<String, Domain>>,
    /// Who may read.
    pub tokens: Tokens,
}

/// Why the registry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The database failed.
    #[error("the database cannot give the registry")]
    Database(#[from] sqlx::Error),
    /// A key cannot be opened.
    #[error("the callback key {key_id} of {domain} cannot be opened")]
    Key {
        /// The key.
        key_id: Uuid,
        /// Its domain.
        domain: String,
        /// Why.
        source: MasterKeyError,
    },
    /// Something is stored that this version does not know.
    #[error("{domain} is registered in a way that this version does not know")]
    Unknown {
        /// The domain.
        domain: String,
    },
}

impl Registry {
    /// Reads everything, in one snapshot.
    ///
    /// # Errors
    /// [`RegistryError`] when the database fails or a key cannot be opened.
    pub async fn load(
        pool: &PgPool,
        master_key: &MasterKey,
        admin_token: &SecretString,
    ) -> Result<Self, RegistryError> {
        let mut snapshot = store::snapshot::begin(pool).await?;
        let installation = store::installation::get_installation(&mut *snapshot).await?;
        let domain_rows = store::domain::list_domains(&mut *snapshot).await?;
        let key_rows = store::signing_key::list_signing_keys(&mut *snapshot).await?;
        let token_rows = store::access_token::list_access_tokens(&mut *snapshot).await?;
        snapshot.commit().await?;
        let mut domains = HashMap::new();
        for row in domain_rows {
            let name = row.domain.clone();
            domains.insert(name, domain_of(row, &key_rows, master_key)?);
        }
        Ok(Self {
            version: installation.map_or(0, |row| row.registry_version),
            domains: Arc::new(domains),
            tokens: Tokens::new(&token_rows, admin_token),
        })
    }

    /// The domain of exactly this name.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.get(name)
    }
}

impl Domain {
    /// What kind of path a message came in by; compared in constant time.
    #[must_use]
    pub fn path_of(&self, callback_token: Option<&str>) -> Path {
        use subtle::ConstantTimeEq;
        let Some(token) = callback_token else { return Path::Open };
        match self.callback_token_hash {
            Some(hash) if bool::from(hash.ct_eq(&hash_callback_token(token))) => Path::Secret,
            _ => Path::WrongSecret,
        }
    }
}

/// The hash under which the secret part of a callback path is kept.
#[must_use]
pub fn hash_callback_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn domain_of(row: DomainRow, keys: &[SigningKeyRow], master_key: &MasterKey) -> Result<Domain, RegistryError> {
    let keys = keys.iter().filter(|key| key.domain == row.domain).map(|key| {
        let opened = open_key(key, master_key)?;
        Ok((key.key_id, SigningKey::new(opened.expose_secret())))
    });
    let keys = keys.collect::<Result<Vec<_>, RegistryError>>()?;
    let (Some(signature), Some(joiner)) = (signature_rule(&row.signature), Joiner::from_text(&row.joiner)) else {
        return Err(RegistryError::Unknown { domain: row.domain });
    };
    Ok(Domain {
        policy: DomainPolicy { signature, apps: row.apps, joiner, keys },
        rendition_templates: row.rendition_templates,
        callback_token_hash: row.callback_token_hash.and_then(|hash| hash.try_into().ok()),
    })
}

/// The key of a row, opened.
///
/// # Errors
/// [`RegistryError::Key`] when it was sealed under another master key, or changed since.
pub fn open_key(row: &SigningKeyRow, master_key: &MasterKey) -> Result<SecretString, RegistryError> {
    master_key.open(row.key_id, &row.domain, &row.sealed_key).map_err(|source| RegistryError::Key {
        key_id: row.key_id,
        domain: row.domain.clone(),
        source,
    })
}

/// The rule that is written so, if there is one.
#[must_use]
pub fn signature_rule(word: &str) -> Option<SignatureRule> {
    match word {
        "required" => Some(SignatureRule::Required),
        "none" => Some(SignatureRule::None),
        _ => None,
    }
}
