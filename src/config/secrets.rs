//! Secrets: from the environment, otherwise from files in the data folder.

use std::sync::Arc;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

use crate::platform::data_dir::DataDir;
use crate::registry::master_key::MasterKey;
use crate::registry::master_keys::MasterKeys;

/// The file in the data folder with the administrator's token.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";

/// The master keys from the environment, otherwise from the data folder.
///
/// # Errors
/// A key is not 32 bytes in base64, or the data folder is not readable.
pub fn master_keys(data_dir: &DataDir) -> anyhow::Result<MasterKeys> {
    let [present, next] = ["STREAMTALLY_MASTER_KEY", "STREAMTALLY_NEXT_MASTER_KEY"].map(|name| {
        let key = std::env::var(name).ok().map(|text| MasterKey::from_base64(&text.into()).map(Arc::new));
        key.transpose().with_context(|| format!("{name} is invalid"))
    });
    match (present?, next?) {
        (Some(present), next) => Ok(MasterKeys::Given { present, next }),
        (None, Some(_)) => {
            bail!("STREAMTALLY_NEXT_MASTER_KEY is set, but STREAMTALLY_MASTER_KEY is not; set both or use the files")
        }
        (None, None) => {
            let keys = MasterKeys::Files(data_dir.clone());
            // Report errors before a database is started.
            keys.present()?;
            Ok(keys)
        }
    }
}

/// The administrator's token from the environment, otherwise from the data folder.
///
/// # Errors
/// It has fewer than 32 characters, or the data folder is not readable.
pub fn admin_token(data_dir: &DataDir) -> anyhow::Result<Option<SecretString>> {
    if let Ok(token) = std::env::var("STREAMTALLY_ADMIN_TOKEN") {
        if token.chars().count() < 32 || token.chars().any(|character| !character.is_ascii_graphic()) {
            bail!("STREAMTALLY_ADMIN_TOKEN must have at least 32 printable ASCII characters without spaces");
        }
        return Ok(Some(token.into()));
    }
    let token = data_dir.read_secret(ADMIN_TOKEN_FILE)?;
    if token.as_ref().is_some_and(|token| token.expose_secret().len() < 32) {
        bail!("{} is damaged: it has fewer than 32 characters", data_dir.path().join(ADMIN_TOKEN_FILE).display());
    }
    Ok(token)
}

/// Creates the administrator's token and stores it in the data folder.
///
/// # Errors
/// The data folder is unusable.
pub fn make_admin_token(data_dir: &DataDir) -> anyhow::Result<SecretString> {
    let token = crate::access::generate_token();
    data_dir.write_secret(ADMIN_TOKEN_FILE, token.expose_secret())?;
    Ok(token)
}
