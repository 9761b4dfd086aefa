//! Keeps the registry in memory up to date: reloads it immediately after a change by this process, and within a second
//! after a change by another one.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::master_key::MasterKeyError;
use super::master_keys::MasterKeys;
use super::start::Start;
use super::{Registry, RegistryRows, cache};
use crate::access::Tokens;
use crate::platform::local_store::LocalStore;
use crate::store;
use crate::store::channel::{REGISTRY, listen_until_stopped};

/// How often to poll for changes by other processes. Documented: they take effect within 2 s.
const POLL: Duration = Duration::from_secs(1);

/// Timeout of a reload: a connection may be dead without an error.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a change has not taken effect. The known registry stays in use.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    #[error("failed to read the registry")]
    Database(#[from] sqlx::Error),
    /// The master key was rotated, and this process does not have the new one.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
}

impl RefreshError {
    fn log(&self) {
        match self {
            Self::Database(error) => {
                let error = error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "could not read the registry; continuing with the known one: changes take effect when the \
                     database is reachable"
                );
            }
            Self::MasterKey(error) => {
                let error = error as &dyn std::error::Error;
                tracing::error!(
                    error,
                    "the master key was rotated, and this process does not have the new one: it continues with the \
                     domains and callback keys that it knows; give it the new key"
                );
            }
        }
    }
}

/// The current registry of this process.
#[derive(Clone)]
pub struct LiveRegistry {
    pool: PgPool,
    master_keys: MasterKeys,
    admin_token: Arc<SecretString>,
    local_store: Option<Arc<LocalStore>>,
    current: Arc<watch::Sender<Registry>>,
}

impl LiveRegistry {
    /// Starts with the registry of `start`, and caches it in the local store, if there is one.
    pub async fn new(
        pool: PgPool,
        master_keys: MasterKeys,
        admin_token: Arc<SecretString>,
        local_store: Option<Arc<LocalStore>>,
        start: &Start,
    ) -> Self {
        let registry = Registry::of(&start.registry, Arc::clone(&start.master_key), &admin_token);
        let registry =
            Self { pool, master_keys, admin_token, local_store, current: Arc::new(watch::Sender::new(registry)) };
        registry.keep_copy(&start.registry).await;
        registry
    }

    /// The current registry. Cheap: its parts are shared.
    pub fn current(&self) -> Registry {
        self.current.borrow().clone()
    }

    pub fn master_keys(&self) -> &MasterKeys {
        &self.master_keys
    }

    /// Reloads the registry if it has changed.
    ///
    /// # Errors
    /// [`RefreshError`]; the known registry then stays in use.
    pub async fn refresh(&self) -> Result<(), RefreshError> {
        let installation = store::installation::get_installation(&self.pool).await?;
        if installation.is_some_and(|row| row.registry_version == self.current.borrow().version) {
            return Ok(());
        }
        let rows = RegistryRows::read(&self.pool).await?;
        let master_key = match self.master_keys.find(&rows.installation.master_key_check) {
            Ok(master_key) => master_key,
            Err(error) => {
                // Tokens need no master key, so revocations still take effect.
                let tokens = Tokens::new(&rows.tokens, &rows.signed_out, &self.admin_token);
                self.current.send_modify(|current| current.tokens = tokens);
                return Err(error.into());
            }
        };
        let registry = Registry::of(&rows, master_key, &self.admin_token);
        // Of two concurrent reloads, the one with the newer version wins.
        let changed = self.current.send_if_modified(|current| {
            let newer = registry.version > current.version;
            if newer {
                *current = registry;
            }
            newer
        });
        if changed {
            self.keep_copy(&rows).await;
        }
        Ok(())
    }

    async fn keep_copy(&self, rows: &RegistryRows) {
        let Some(local_store) = &self.local_store else { return };
        if let Err(error) = cache::put(local_store, rows).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "could not update the cached registry: check that the data folder is writable, or a start without \
                 the database will not know this change"
            );
        }
    }

    /// Reloads after a change by this process. Only logs an error: the change is stored, and the next poll finds it.
    pub async fn refresh_after_change(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a change of the registry is not in effect yet; it will be when the database is reachable"
            );
        }
    }

    /// Reloads on notification and every second, until stopped.
    pub async fn run(self, stopped: CancellationToken) {
        let told = Notify::new();
        tokio::join!(listen_until_stopped(&self.pool, REGISTRY, &told, &stopped), async {
            let mut failure = None;
            while stopped.run_until_cancelled(timeout(POLL, told.notified())).await.is_some() {
                let refreshed = timeout(RELOAD_TIMEOUT, self.refresh()).await;
                let error = refreshed.unwrap_or(Err(sqlx::Error::PoolTimedOut.into())).err();
                let kind = error.as_ref().map(mem::discriminant);
                // Log a failure once, not every second.
                if let Some(error) = error.filter(|_| kind != failure) {
                    error.log();
                }
                failure = kind;
            }
        });
    }
}
