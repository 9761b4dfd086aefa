//! The data folder: its path, and the secrets stored in it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use secrecy::SecretString;
use tempfile::NamedTempFile;

use crate::platform::privileges::RootPrivileges;

/// The folder for the service's files. If another user owns it, root acts as that user in it.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// No default folder is known.
    #[error("no data folder is known: neither HOME nor XDG_DATA_HOME is set; name one with --data-dir")]
    Unknown,
    /// A file or folder cannot be read or written.
    #[error("cannot use {path}; --data-dir names another data folder")]
    Unusable { path: PathBuf, source: io::Error },
    /// Another user owns it, and root cannot act as that user.
    #[error("cannot act as the user who owns {path} or a folder above it; run the command as that user")]
    NotOwner { path: PathBuf, source: io::Error },
}

impl DataDir {
    /// The given folder; by default `/var/lib/streamtally` for root, and the XDG data folder for other users.
    ///
    /// # Errors
    /// [`DataDirError::Unknown`] when no environment variable gives an ordinary user's data folder.
    pub fn place(named: Option<&Path>) -> Result<PathBuf, DataDirError> {
        // Computed once: root may have become another user by the next call.
        static DEFAULT: LazyLock<Option<PathBuf>> = LazyLock::new(default_place);
        named.map(Path::to_owned).or_else(|| DEFAULT.clone()).ok_or(DataDirError::Unknown)
    }

    /// The same folder, ready for use: root permanently becomes the user who owns it or a folder above it.
    pub fn find(named: Option<&Path>) -> Result<Self, DataDirError> {
        let (data_dir, root) = Self::find_keeping_root(named)?;
        root.map_or(Ok(()), RootPrivileges::drop_permanently).map_err(|source| data_dir.not_owner(source))?;
        Ok(data_dir)
    }

    /// The same, with the root privileges that were dropped, if any, for a process that needs them later.
    pub fn find_keeping_root(named: Option<&Path>) -> Result<(Self, Option<RootPrivileges>), DataDirError> {
        let data_dir = Self(Self::place(named)?);
        let root = RootPrivileges::drop_for(&data_dir.0).map_err(|source| data_dir.not_owner(source))?;
        Ok((data_dir, root))
    }

    fn not_owner(&self, source: io::Error) -> DataDirError {
        DataDirError::NotOwner { path: self.0.clone(), source }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads a secret; `None` if it does not exist.
    ///
    /// # Errors
    /// [`DataDirError::Unusable`] when it cannot be read.
    pub fn read_secret(&self, name: &str) -> Result<Option<SecretString>, DataDirError> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim_end().to_owned().into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DataDirError::Unusable { path, source }),
        }
    }

    /// Writes a new secret, readable only by its owner.
    ///
    /// The write is atomic, and never replaces an existing secret.
    ///
    /// # Errors
    /// [`DataDirError::Unusable`] when it cannot be written, or exists already.
    pub fn write_secret(&self, name: &str, secret: &str) -> Result<(), DataDirError> {
        let path = self.0.join(name);
        self.keep(secret, &path).map_err(|source| DataDirError::Unusable { path, source })
    }

    fn keep(&self, secret: &str, path: &Path) -> io::Result<()> {
        self.create()?;
        let mut draft = NamedTempFile::new_in(&self.0)?;
        writeln!(draft, "{secret}")?;
        draft.as_file().sync_all()?;
        draft.persist_noclobber(path)?;
        // Syncs the folder, so that the file's name survives a power failure, too.
        fs::File::open(&self.0)?.sync_all()
    }

    /// Replaces a secret by another one, which is renamed.
    ///
    /// # Errors
    /// [`DataDirError::Unusable`] when it cannot be renamed.
    pub fn rename_secret(&self, from: &str, to: &str) -> Result<(), DataDirError> {
        let path = self.0.join(from);
        let renamed = fs::rename(&path, self.0.join(to)).and_then(|()| fs::File::open(&self.0)?.sync_all());
        renamed.map_err(|source| DataDirError::Unusable { path, source })
    }

    /// Creates the folder. Root's is searchable by all, since its private database runs as another user.
    fn create(&self) -> io::Result<()> {
        if self.0.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&self.0)?;
        let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
        fs::set_permissions(&self.0, fs::Permissions::from_mode(mode))
    }
}

fn default_place() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/streamtally"));
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    base.map(|base| base.join("streamtally"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_secret_is_kept_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let data_dir = DataDir::find(Some(&folder.path().join("new"))).expect("named");
        assert!(data_dir.read_secret("key").expect("readable").is_none());
        data_dir.write_secret("key", "first").expect("written");
        assert!(data_dir.write_secret("key", "second").is_err());
        let kept = data_dir.read_secret("key").expect("readable").expect("kept");
        assert_eq!(kept.expose_secret(), "first");
        let mode = fs::metadata(data_dir.path().join("key")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(data_dir.path()).expect("a folder").count(), 1);
    }
}
