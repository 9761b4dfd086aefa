//! Changes of the registry, for the API and for commands.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::master_key::{MasterKey, MasterKeyError};
use super::master_keys::MasterKeys;
use super::{hash_callback_token, open_key};
use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::huawei::notification::is_app_name;
use crate::huawei::signature::could_be_confused;
use crate::model::access::{Act, FieldSeparator, SignatureRule};
use crate::model::close_rule::CloseRule;
use crate::model::polling::PollMode;
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

/// The settings of a domain.
#[derive(Debug, Clone)]
pub struct DomainSettings {
    pub signature: SignatureRule,
    /// Accepted apps; all if `None`.
    pub apps: Option<Vec<String>>,
    pub joiner: FieldSeparator,
    pub rendition_templates: Vec<String>,
    pub concurrent_pushes: bool,
    pub close_unconfirmed_after: CloseRule,
    pub poll_mode: PollMode,
    /// With which account the provider's lists are read. Required unless `poll_mode` is off.
    pub provider_account_id: Option<Uuid>,
}

impl Default for DomainSettings {
    fn default() -> Self {
        Self {
            signature: SignatureRule::Required,
            apps: None,
            joiner: FieldSeparator::default(),
            rendition_templates: Vec::new(),
            concurrent_pushes: false,
            close_unconfirmed_after: CloseRule::default(),
            poll_mode: PollMode::default(),
            provider_account_id: None,
        }
    }
}

impl DomainSettings {
    /// The settings that a domain has.
    pub fn of(row: DomainRow) -> Self {
        Self {
            close_unconfirmed_after: row.close_rule(),
            signature: row.signature,
            apps: row.apps,
            joiner: row.joiner,
            rendition_templates: row.rendition_templates,
            concurrent_pushes: row.concurrent_pushes,
            poll_mode: row.poll_mode,
            provider_account_id: row.provider_account_id,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A member is invalid.
    #[error("{name}: {reason}")]
    Invalid { name: &'static str, reason: String },
    /// The domain or the key does not exist.
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("the domain already has this key")]
    KeyExists,
    /// A domain whose signatures could be confused with this one's has the same key.
    #[error(
        "{0} has this key, and a callback signed for one of these domains could be turned into one for the other: use \
         another key"
    )]
    KeyShared(String),
    /// The master key is missing or wrong.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error("the database failed to store the change")]
    Database(#[from] sqlx::Error),
}

/// Registers or changes a domain. Returns its new row, and whether it is new.
///
/// # Errors
/// [`AdminError::Invalid`] names the invalid member.
pub async fn put_domain(
    pool: &PgPool,
    actor: &Actor,
    domain: &str,
    settings: DomainSettings,
    now: DateTime<Utc>,
) -> Result<(DomainRow, bool), AdminError> {
    check_domain(domain)?;
    check_settings(&settings)?;
    let mut transaction = pool.begin().await?;
    store::installation::lock_registry(&mut *transaction).await?;
    if let Some(account_id) = settings.provider_account_id
        && store::provider_account::get_provider_account(&mut *transaction, account_id).await?.is_none()
    {
        return Err(invalid("provider_account", "must be the ID of a provider account"));
    }
    let known = store::domain::get_domain(&mut *transaction, domain).await?;
    let row = DomainRow {
        domain: domain.to_owned(),
        signature: settings.signature,
        apps: settings.apps,
        joiner: settings.joiner,
        rendition_templates: settings.rendition_templates,
        concurrent_pushes: settings.concurrent_pushes,
        close_unconfirmed_seconds: settings.close_unconfirmed_after.seconds(),
        callback_token_hash: known.as_ref().and_then(|row| row.callback_token_hash.clone()),
        poll_mode: settings.poll_mode,
        provider_account_id: settings.provider_account_id,
        created_at: known.as_ref().map_or(now, |row| row.created_at),
        updated_at: now,
    };
    store::domain::upsert_domain(&mut *transaction, &row).await?;
    let (act, details) = match &known {
        None => (Act::DomainRegistered, settings_of(&row)),
        Some(before) => (Act::DomainChanged, json!({ "before": settings_of(before), "after": settings_of(&row) })),
    };
    let subject = Subject { domain: Some(domain), details: Some(details), ..Subject::default() };
    audit::record(&mut *transaction, actor, now, act, subject).await?;
    transaction.commit().await?;
    Ok((row, known.is_none()))
}

/// A domain's settings for the audit log.
fn settings_of(row: &DomainRow) -> Value {
    json!({
        "signature": row.signature,
        "apps": row.apps,
        "joiner": row.joiner,
        "rendition_templates": row.rendition_templates,
        "concurrent_pushes": row.concurrent_pushes,
        "close_unconfirmed_after": row.close_rule(),
        "poll_mode": row.poll_mode,
        "provider_account": row.provider_account_id,
    })
}

/// Removes a domain and deletes its keys. Its history stays.
///
/// # Errors
/// [`AdminError::NotFound`] if the domain is not registered.
pub async fn remove_domain(pool: &PgPool, actor: &Actor, domain: &str, now: DateTime<Utc>) -> Result<(), AdminError> {
    let mut transaction = pool.begin().await?;
    store::installation::lock_registry(&mut *transaction).await?;
    if !store::domain::delete_domain(&mut *transaction, domain).await? {
        return Err(AdminError::NotFound("domain"));
    }
    let subject = Subject { domain: Some(domain), ..Subject::default() };
    audit::record(&mut *transaction, actor, now, Act::DomainRemoved, subject).await?;
    transaction.commit().await?;
    Ok(())
}

/// Adds a key to a domain: the given one, or a new random one of 32 characters. Returns its row and the key.
///
/// # Errors
/// [`AdminError::Invalid`] unless the key has 32 to 128 characters. [`AdminError::KeyShared`] if a domain with
/// confusable signatures has the same key. [`AdminError::MasterKey`] if another process has rotated the master key and
/// this process does not have the new one.
pub async fn add_key(
    pool: &PgPool,
    actor: &Actor,
    master_keys: &MasterKeys,
    domain: &str,
    given: Option<SecretString>,
    now: DateTime<Utc>,
) -> Result<(SigningKeyRow, SecretString), AdminError> {
    let key = given.unwrap_or_else(|| hex::encode(rand::random::<[u8; 16]>()).into());
    check_key(&key)?;
    let mut transaction = pool.begin().await?;
    store::installation::lock_registry(&mut *transaction).await?;
    if store::domain::get_domain(&mut *transaction, domain).await?.is_none() {
        return Err(AdminError::NotFound("domain"));
    }
    // Under the lock, so that no rotation can happen in between.
    let check = store::installation::get_master_key_check(&mut *transaction).await?;
    let master_key = master_keys.find(&check.unwrap_or_default())?;
    reject_shared_key(&mut transaction, &master_key, domain, &key).await?;
    let key_id = Uuid::new_v4();
    let row = SigningKeyRow {
        key_id,
        domain: domain.to_owned(),
        sealed_key: master_key.seal(key_id, domain, &key),
        created_at: now,
        last_used_at: None,
    };
    store::signing_key::insert_signing_key(&mut *transaction, &row).await?;
    let subject = Subject { domain: Some(domain), id: Some(key_id), details: None };
    audit::record(&mut *transaction, actor, now, Act::KeyAdded, subject).await?;
    transaction.commit().await?;
    Ok((row, key))
}

async fn reject_shared_key(
    connection: &mut PgConnection,
    master_key: &MasterKey,
    domain: &str,
    key: &SecretString,
) -> Result<(), AdminError> {
    let rows = store::signing_key::list_signing_keys(connection).await?;
    for row in rows.iter().filter(|row| could_be_confused(domain, &row.domain)) {
        // A key that cannot be decrypted verifies no signature.
        let Ok(other) = open_key(row, master_key) else { continue };
        if bool::from(other.expose_secret().as_bytes().ct_eq(key.expose_secret().as_bytes())) {
            return Err(if row.domain == domain {
                AdminError::KeyExists
            } else {
                AdminError::KeyShared(row.domain.clone())
            });
        }
    }
    Ok(())
}

/// Removes a key of a domain: callbacks signed with it are rejected from then on.
///
/// # Errors
/// [`AdminError::NotFound`] if the domain has no such key.
pub async fn remove_key(
    pool: &PgPool,
    actor: &Actor,
    domain: &str,
    key_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), AdminError> {
    let mut transaction = pool.begin().await?;
    store::installation::lock_registry(&mut *transaction).await?;
    if !store::signing_key::delete_signing_key(&mut *transaction, domain, key_id).await? {
        return Err(AdminError::NotFound("key"));
    }
    let subject = Subject { domain: Some(domain), id: Some(key_id), details: None };
    audit::record(&mut *transaction, actor, now, Act::KeyRemoved, subject).await?;
    transaction.commit().await?;
    Ok(())
}

/// Replaces the secret path of a domain; the old one stops working. Returns the callback token of the new one.
///
/// # Errors
/// [`AdminError::NotFound`] if the domain is not registered.
pub async fn replace_callback_token(
    pool: &PgPool,
    actor: &Actor,
    domain: &str,
    now: DateTime<Utc>,
) -> Result<SecretString, AdminError> {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let mut transaction = pool.begin().await?;
    store::installation::lock_registry(&mut *transaction).await?;
    let hash = hash_callback_token(&token);
    if !store::domain::update_callback_token_hash(&mut *transaction, domain, &hash, now).await? {
        return Err(AdminError::NotFound("domain"));
    }
    let subject = Subject { domain: Some(domain), ..Subject::default() };
    audit::record(&mut *transaction, actor, now, Act::CallbackPathReplaced, subject).await?;
    transaction.commit().await?;
    Ok(token.into())
}

fn invalid(name: &'static str, reason: impl Into<String>) -> AdminError {
    AdminError::Invalid { name, reason: reason.into() }
}

fn check_domain(domain: &str) -> Result<(), AdminError> {
    let strange = |character: char| {
        character.is_control() || character.is_whitespace() || ['/', char::REPLACEMENT_CHARACTER].contains(&character)
    };
    let fits = (1..=255).contains(&domain.len()) && !domain.chars().any(strange);
    fits.then_some(())
        .ok_or_else(|| invalid("domain", "must have 1 to 255 bytes, without spaces, slashes and control characters"))
}

fn check_settings(settings: &DomainSettings) -> Result<(), AdminError> {
    if let Some(apps) = &settings.apps {
        if apps.is_empty() || apps.len() > 1000 {
            return Err(invalid("apps", "must be null or name 1 to 1000 apps"));
        }
        if let Some(app) = apps.iter().find(|app| !is_app_name(app) || app.len() > 255) {
            return Err(invalid("apps", format!("{app:?} is not 1 to 255 letters, digits, `_` and `-`")));
        }
        if let Some((longer, shorter)) = prefixed_pair(apps) {
            return Err(invalid(
                "apps",
                format!(
                    "{longer:?} begins with {shorter:?}: a callback signed for one could be turned into one for the \
                     other"
                ),
            ));
        }
    }
    let templates = &settings.rendition_templates;
    if templates.len() > 100 {
        return Err(invalid("rendition_templates", "must name at most 100 templates"));
    }
    if templates.iter().any(|name| !(1..=64).contains(&name.chars().count()) || name.chars().any(char::is_control)) {
        return Err(invalid("rendition_templates", "must each have 1 to 64 characters, no control characters"));
    }
    if settings.poll_mode != PollMode::Off && settings.provider_account_id.is_none() {
        return Err(invalid("provider_account", "must be set unless poll_mode is off"));
    }
    Ok(())
}

/// Two names where the first starts with the second or equals it.
fn prefixed_pair(names: &[String]) -> Option<(&str, &str)> {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted
        .iter()
        .zip(sorted.iter().skip(1))
        .find(|(shorter, longer)| longer.starts_with(**shorter))
        .map(|(shorter, longer)| (*longer, *shorter))
}

/// Checks the provider's limits on keys.
///
/// # Errors
/// [`AdminError::Invalid`] unless the key has 32 to 128 characters and no control characters.
pub fn check_key(key: &SecretString) -> Result<(), AdminError> {
    let key = key.expose_secret();
    if !(32..=128).contains(&key.chars().count()) {
        return Err(invalid("key", "must have 32 to 128 characters"));
    }
    if key.chars().any(char::is_control) {
        return Err(invalid("key", "must not contain control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_apps_none_may_begin_with_the_other() {
        let pair = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            prefixed_pair(&names).map(|(longer, shorter)| (longer.to_owned(), shorter.to_owned()))
        };
        assert_eq!(pair(&["live", "vod", "live2"]), Some(("live2".into(), "live".into())));
        assert_eq!(pair(&["live", "live"]), Some(("live".into(), "live".into())));
        assert_eq!(pair(&["live1", "live2", "vod"]), None);
    }

    #[test]
    fn a_key_has_32_to_128_characters() {
        for (length, fits) in [(31, false), (32, true), (128, true), (129, false)] {
            assert_eq!(check_key(&"ß".repeat(length).into()).is_ok(), fits, "{length}");
        }
        assert!(check_key(&format!("{}\n", "k".repeat(32)).into()).is_err());
    }
}
