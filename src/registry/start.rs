//! The state that a process starts with: the prepared database or, while it is unreachable, the cached registry.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::sleep;

use super::RegistryRows;
use super::cache::{self, CopyError};
use super::installation::{self, InstallationError, SHARDS};
use super::master_key::{MasterKey, MasterKeyError};
use super::master_keys::MasterKeys;
use crate::platform::clock;
use crate::platform::local_store::LocalStore;
use crate::store::installation::InstallationRow;

/// Pause before the next attempt to prepare the database.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The database is unreachable, and there is no cached registry.
    #[error("the database is unreachable, and this data folder has no cached registry yet: start the database first")]
    NoCopy(#[source] InstallationError),
    #[error("failed to read the registry")]
    Registry(#[from] sqlx::Error),
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The master key is not the installation's.
    #[error("the master key is unusable")]
    MasterKey(#[from] MasterKeyError),
    /// The spooled callbacks belong to another installation.
    #[error(
        "the spool of this data folder has callbacks of another installation: start with its database until \
         they are drained, or use another folder with --data-dir"
    )]
    OtherInstallation,
}

/// The state that a process starts with.
pub struct Start {
    pub registry: RegistryRows,
    pub master_key: Arc<MasterKey>,
    /// Whether the database is prepared; otherwise [`prepare_until_done`] prepares it.
    pub prepared: bool,
}

/// Prepares the database and reads the registry. Uses the cached registry while the database is unreachable.
///
/// `waiting` is whether the spool has callbacks. They belong to the installation of the cached registry.
pub async fn start(
    pool: &PgPool,
    master_keys: &MasterKeys,
    local_store: Option<&LocalStore>,
    waiting: bool,
) -> Result<Start, StartError> {
    let copy = match local_store {
        Some(local_store) => cache::get(local_store).await.or_else(forget)?,
        None => None,
    };
    match installation::prepare(pool, master_keys, SHARDS, clock::now()).await {
        Ok(found) => {
            if waiting && copy.is_some_and(|copy| !is_same(&copy.installation, &found)) {
                return Err(StartError::OtherInstallation);
            }
            let registry = RegistryRows::read(pool).await?;
            let master_key = master_keys.find(&registry.installation.master_key_check)?;
            Ok(Start { registry, master_key, prepared: true })
        }
        Err(error) if error.is_transient() && local_store.is_some() => {
            let Some(registry) = copy else { return Err(StartError::NoCopy(error)) };
            let master_key = master_keys.find(&registry.installation.master_key_check)?;
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "the database is unreachable: receiving with the cached registry; check the database"
            );
            Ok(Start { registry, master_key, prepared: false })
        }
        Err(error) => Err(error.into()),
    }
}

/// Prepares the database as soon as it is reachable, and sets `prepared`.
pub async fn prepare_until_done(
    pool: &PgPool,
    master_keys: &MasterKeys,
    expected: &InstallationRow,
    prepared: &watch::Sender<bool>,
) {
    let mut failing = false;
    while !*prepared.borrow() {
        sleep(PAUSE).await;
        let found = installation::prepare(pool, master_keys, SHARDS, clock::now()).await.map_err(StartError::from);
        match found {
            Ok(found) if is_same(&found, expected) => {
                tracing::info!("the database is ready");
                prepared.send_replace(true);
            }
            Err(StartError::Installation(error)) if error.is_transient() => {}
            found => {
                if !failing {
                    let error = found.err().unwrap_or(StartError::OtherInstallation);
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        error,
                        "the database cannot be used: callbacks go to the spool; fix the database before the spool \
                         is full"
                    );
                }
                failing = true;
            }
        }
    }
}

fn is_same(one: &InstallationRow, other: &InstallationRow) -> bool {
    one.installation_id == other.installation_id
}

/// Ignores a cache that another version wrote. The process still starts: spooled callbacks are drained into the
/// configured database.
fn forget(error: CopyError) -> Result<Option<RegistryRows>, CopyError> {
    match error {
        CopyError::Words(_) => {
            tracing::warn!("the cached registry is of another version: it is rebuilt when the database is reachable");
            Ok(None)
        }
        CopyError::File(_) => Err(error),
    }
}
