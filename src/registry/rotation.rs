//! Rotates the master key: encrypts all callback keys, the secrets of webhooks, the secret keys of provider accounts, and the
//! key of kept rejections with the next one.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::master_key::{MasterKey, MasterKeyError, PROVIDER_SECRET_KEY, SealingKey, WEBHOOK_HEADERS, WEBHOOK_SECRET};
use super::master_keys::MasterKeys;
use super::{open_key, open_rejection_key};
use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::store;
use crate::store::webhook::WebhookRow;

/// On any error, the database is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The installation's key is unknown, or there is no next key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A callback key cannot be decrypted and would be lost.
    #[error(
        "the callback key {key_id} of {domain} is damaged and cannot be decrypted: remove it with `domain key remove`, \
         then rotate again"
    )]
    Damaged { key_id: Uuid, domain: String },
    /// The same of a webhook.
    #[error(
        "the secret of the webhook {name} is damaged and cannot be decrypted: remove it with `webhook remove`, then rotate \
         again"
    )]
    DamagedWebhook { name: String },
    /// The same of a provider account.
    #[error(
        "the secret key of the provider account {name} is damaged and cannot be decrypted: enter it again with \
         `provider set {name} --access-key`, then rotate again"
    )]
    DamagedProviderAccount { name: String },
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Encrypts all callback keys with the next master key in one transaction, then makes it the current one. Returns the
/// number of callback keys; `None` if an earlier run or another process has already changed the database.
///
/// The files change under the registry lock, too, so that two rotations cannot mix up their keys. If a call is
/// interrupted, the next one completes it: it uses an existing next key, and makes it the current one once the database
/// names it.
pub async fn rotate(
    pool: &PgPool,
    keys: &MasterKeys,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Option<usize>, RotationError> {
    let mut sealed = None;
    loop {
        let mut transaction = pool.begin().await?;
        store::installation::lock_registry(&mut *transaction).await?;
        let check = store::installation::get_master_key_check(&mut *transaction).await?.unwrap_or_default();
        let present = keys.find(&check)?;
        let next = match keys.next()? {
            Some(next) => next,
            // Another run has already made this run's next key the current one.
            None if sealed.is_some() => return Ok(sealed),
            None => keys.make_next()?,
        };
        if next.check() == check.as_slice() {
            keys.promote_next()?;
            return Ok(sealed);
        }
        let rows = store::signing_key::list_signing_keys(&mut *transaction).await?;
        for row in &rows {
            let damaged = |_| RotationError::Damaged { key_id: row.key_id, domain: row.domain.clone() };
            let key = open_key(row, &present).map_err(damaged)?;
            let sealed_key = next.seal(row.key_id, &row.domain, &key);
            store::signing_key::update_sealed_key(&mut *transaction, row.key_id, &sealed_key).await?;
        }
        seal_webhooks(&mut transaction, &present, &next).await?;
        seal_provider_accounts(&mut transaction, &present, &next).await?;
        let installation = store::installation::get_installation(&mut *transaction).await?;
        let installation = installation.ok_or(sqlx::Error::RowNotFound)?;
        let rejection_key = open_rejection_key(&installation, &present).unwrap_or_else(SealingKey::generate);
        let rejection_key = next.seal_rejection_key(installation.installation_id, &rejection_key);
        store::installation::update_master_key(&mut *transaction, &next.check(), &rejection_key).await?;
        let subject = Subject { details: Some(json!({ "keys": rows.len() })), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::MasterKeyRotated, subject).await?;
        transaction.commit().await?;
        sealed = Some(rows.len());
    }
}

async fn seal_webhooks(
    connection: &mut PgConnection,
    present: &MasterKey,
    next: &MasterKey,
) -> Result<(), RotationError> {
    for row in store::webhook::list_webhooks(&mut *connection).await? {
        let WebhookRow { webhook_id, .. } = row;
        let seal_again = |sealed: Option<Vec<u8>>, label| {
            let again = |sealed: Vec<u8>| {
                present.open(webhook_id, label, &sealed).map(|opened| next.seal(webhook_id, label, &opened))
            };
            let damaged = |_| RotationError::DamagedWebhook { name: row.name.clone() };
            sealed.map(again).transpose().map_err(damaged)
        };
        let secret = seal_again(Some(row.sealed_secret.clone()), WEBHOOK_SECRET)?.unwrap_or_default();
        let before = seal_again(row.sealed_secret_before.clone(), WEBHOOK_SECRET)?;
        let headers = seal_again(row.sealed_headers.clone(), WEBHOOK_HEADERS)?;
        let (before, headers) = (before.as_deref(), headers.as_deref());
        store::webhook::update_sealed(&mut *connection, webhook_id, &secret, before, headers).await?;
    }
    Ok(())
}

async fn seal_provider_accounts(
    connection: &mut PgConnection,
    present: &MasterKey,
    next: &MasterKey,
) -> Result<(), RotationError> {
    for row in store::provider_account::list_provider_accounts(&mut *connection).await? {
        let opened = present.open(row.account_id, PROVIDER_SECRET_KEY, &row.sealed_secret_key);
        let opened = opened.map_err(|_| RotationError::DamagedProviderAccount { name: row.name.clone() })?;
        let sealed = next.seal(row.account_id, PROVIDER_SECRET_KEY, &opened);
        store::provider_account::update_sealed_secret_key(&mut *connection, row.account_id, &sealed).await?;
    }
    Ok(())
}
