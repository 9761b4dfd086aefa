//! The service that `login` stored: its URL and a token, in the user's configuration folder, readable only by the user.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tempfile::NamedTempFile;

use super::Token;

#[derive(Debug)]
pub(in crate::cli) struct Profile {
    pub(in crate::cli) url: Url,
    pub(in crate::cli) token: SecretString,
    /// Whether the user has allowed plain HTTP to another machine.
    pub(in crate::cli) insecure_http: bool,
}

/// The file.
#[derive(Deserialize)]
struct Stored {
    url: String,
    token: SecretString,
    insecure_http: bool,
}

impl Stored {
    fn read(self) -> Option<Profile> {
        let Self { url, token, insecure_http } = self;
        Some(Profile { url: url.parse().ok()?, token, insecure_http })
    }
}

impl Profile {
    pub(in crate::cli) fn token(&self) -> Token {
        Token { secret: self.token.clone(), source: "standard input".to_owned() }
    }

    /// `None` without a login.
    ///
    /// # Errors
    /// The file is not readable.
    pub(in crate::cli) fn load() -> anyhow::Result<Option<Self>> {
        let Some(path) = path() else { return Ok(None) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => SecretString::from(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
        };
        // The error of the parser could quote the token.
        let profile = serde_json::from_str(text.expose_secret()).ok().and_then(Stored::read);
        profile.map(Some).with_context(|| format!("{} is damaged; `streamtally logout` removes it", path.display()))
    }

    /// Stores it atomically, in place of the one before.
    ///
    /// # Errors
    /// The folder is not writable.
    pub(in crate::cli) fn store(&self) -> anyhow::Result<PathBuf> {
        let path = path().context("there is no folder for the login: neither XDG_CONFIG_HOME nor HOME is set")?;
        self.write_to(&path).with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // Created with mode 0600.
        let mut draft = NamedTempFile::new_in(folder)?;
        let Self { url, token, insecure_http } = self;
        writeln!(
            draft,
            "{}",
            json!({ "url": url.as_str(), "token": token.expose_secret(), "insecure_http": insecure_http })
        )?;
        draft.as_file().sync_all()?;
        draft.persist(path)?;
        fs::File::open(folder)?.sync_all()
    }

    /// Returns whether there was one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(in crate::cli) fn remove() -> anyhow::Result<bool> {
        let Some(path) = path() else { return Ok(false) };
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("failed to remove {}", path.display())),
        }
    }
}

/// `$XDG_CONFIG_HOME/streamtally/login.json`; `None` if no folder is known.
fn path() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    base.map(|base| base.join("streamtally").join("login.json"))
}
