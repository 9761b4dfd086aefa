//! What a process starts with: the database made ready and read, or, while it is away, the copy of the registry.

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

/// How long to wait before the database is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be made ready.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The database cannot be reached, and there is no copy of the registry to start with.
    #[error("the database cannot be reached, and this data folder has no copy of its registry yet to receive with")]
    NoCopy(#[source] InstallationError),
    /// The registry cannot be read.
    #[error("the registry cannot be read")]
    Registry(#[from] sqlx::Error),
    /// The local store cannot be read.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The master key is not the installation's.
    #[error("the master key does not fit")]
    MasterKey(#[from] MasterKeyError),
    /// What waits in the spool is not this database's.
    #[error(
        "messages of another installation wait in the spool of this data folder: start on that one's database until \
         they are drained, or name another folder with --data-dir"
    )]
    OtherInstallation,
}

/// What a process starts with.
pub struct Start {
    pub registry: RegistryRows,
    pub master_key: Arc<MasterKey>,
    /// Whether the database is ready; else [`prepare_until_done`] makes it.
    pub prepared: bool,
}

/// Makes the database ready and reads what is registered; takes the copy while it cannot be reached.
///
/// `waiting` says whether messages wait in the spool, which are those of the copy's installation.
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

/// Makes the database ready as soon as it is back, and says so.
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

/// A copy that another version made is of no use. It does not keep a process from starting: messages that wait are
/// drained into the database that is there.
fn forget(error: CopyError) -> Result<Option<RegistryRows>, CopyError> {
    match error {
        CopyError::Words(_) => {
            tracing::warn!("the cached registry is of another version: it is rebuilt when the database is reachable");
            Ok(None)
        }
        CopyError::File(_) => Err(error),
    }
}
