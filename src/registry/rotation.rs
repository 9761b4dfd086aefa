//! Rotating the master key: everything that is sealed under it is sealed under the next one.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::master_key::MasterKeyError;
use super::master_keys::MasterKeys;
use super::open_key;
use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::store;

/// Why the master key cannot be rotated. Nothing in the database has changed then.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The installation's key is not known, or there is no next one.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A callback key cannot be opened, and would be lost.
    #[error(
        "the callback key {key_id} of {domain} is damaged and cannot be opened: remove it with `domain key remove`, \
         then rotate again"
    )]
    Damaged { key_id: Uuid, domain: String },
    /// The database failed.
    #[error("the database cannot be changed")]
    Database(#[from] sqlx::Error),
}

/// Seals all callback keys under the next master key in one transaction, then puts that in the place of the present one.
/// Returns how many callback keys there are; `None` when an earlier run, or one elsewhere, has changed the database.
///
/// The files change under the lock of the registry as well, so that two rotations cannot mix up their keys. Interrupted
/// anywhere, it is completed by the next call: a next key that is there is used, and moved once the database names it.
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
            // Another run has moved the one that this run has used.
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
        store::installation::update_master_key_check(&mut *transaction, &next.check()).await?;
        let subject = Subject { details: Some(json!({ "keys": rows.len() })), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::MasterKeyRotated, subject).await?;
        transaction.commit().await?;
        sealed = Some(rows.len());
    }
}
