//! The copy of the registry on this machine's disk, from which a process can receive that starts while the database is
//! away. Keys in it are sealed and tokens hashed, as in the database.

use std::io;

use super::RegistryRows;
use crate::platform::local_store::LocalStore;

/// Why the copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The local store cannot be read or written.
    #[error("the local store cannot be used")]
    File(#[from] io::Error),
    /// The copy was made by another version.
    #[error("the copy of the registry cannot be understood")]
    Words(#[from] serde_json::Error),
}

/// Keeps a copy in place of an older one.
///
/// # Errors
/// [`CopyError`]; then the older one stays.
pub async fn put(store: &LocalStore, rows: &RegistryRows) -> Result<(), CopyError> {
    let body = serde_json::to_string(rows)?;
    Ok(store.with(move |files| files.put_registry(&body)).await?)
}

/// The copy, if there is one that is not damaged.
pub async fn get(store: &LocalStore) -> Result<Option<RegistryRows>, CopyError> {
    let body = store.with(|files| files.get_registry()).await?;
    Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
}
