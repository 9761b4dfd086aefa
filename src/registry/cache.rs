//! The registry, cached in the local store, so that a process can start and accept callbacks while the database is
//! unreachable. As in the database, keys are encrypted and tokens are hashed.

use std::io;

use super::RegistryRows;
use crate::platform::local_store::LocalStore;

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The local store failed.
    #[error("failed to read or write the cached registry in the local store")]
    File(#[from] io::Error),
    /// Another version wrote the cache.
    #[error("the cached registry has the format of another version")]
    Words(#[from] serde_json::Error),
}

/// Replaces the cached registry.
///
/// # Errors
/// [`CopyError`]; the previous one is then kept.
pub async fn put(store: &LocalStore, rows: &RegistryRows) -> Result<(), CopyError> {
    let body = serde_json::to_string(rows)?;
    Ok(store.with(move |files| files.put_registry(&body)).await?)
}

/// The cached registry, unless it is missing or damaged.
pub async fn get(store: &LocalStore) -> Result<Option<RegistryRows>, CopyError> {
    let body = store.with(|files| files.get_registry()).await?;
    Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
}
