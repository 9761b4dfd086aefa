//! The copy of the registry on this machine's disk, from which a process can receive that starts while the database is
//! away. Keys in it are sealed and tokens hashed, as in the database.

use super::RegistryRows;
use crate::standby::Standby;
use crate::store::standby;

/// Why the copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The standby file cannot be read or written.
    #[error("the standby file cannot be used")]
    File(#[from] sqlx::Error),
    /// The copy was made by another version.
    #[error("the copy of the registry cannot be understood")]
    Words(#[from] serde_json::Error),
}

/// Keeps a copy in place of an older one.
///
/// # Errors
/// [`CopyError`]; then the older one stays.
pub async fn put(standby: &Standby, rows: &RegistryRows) -> Result<(), CopyError> {
    let body = serde_json::to_string(rows)?;
    standby::put_registry_copy(&mut *standby.file().await?, &body).await?;
    Ok(())
}

/// The copy, if there is one.
///
/// # Errors
/// [`CopyError`].
pub async fn get(standby: &Standby) -> Result<Option<RegistryRows>, CopyError> {
    let body = standby::get_registry_copy(&mut *standby.file().await?).await?;
    Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
}
