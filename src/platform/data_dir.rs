//! The data folder: where it is, and the secrets that are kept in it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use secrecy::SecretString;
use tempfile::NamedTempFile;

use crate::platform::privileges::RootPrivileges;

/// The folder for what the service keeps on disk. If another user owns it, root acts as that user in it.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// There is no folder to fall back on.
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
    /// The folder that was named, or `/var/lib/streamtally` for root and the XDG data folder for others.
    ///
    /// # Errors
    /// [`DataDirError::Unknown`] when nothing says where an ordinary user's data belong.
    pub fn place(named: Option<&Path>) -> Result<PathBuf, DataDirError> {
        // Once, since root may have become another user when it is asked for again.
        static DEFAULT: LazyLock<Option<PathBuf>> = LazyLock::new(default_place);
        named.map(Path::to_owned).or_else(|| DEFAULT.clone()).ok_or(DataDirError::Unknown)
    }

    /// The same folder, to be used: root permanently becomes the user who owns it, or a folder above it.
    pub fn find(named: Option<&Path>) -> Result<Self, DataDirError> {
        let (data_dir, root) = Self::find_keeping_root(named)?;
        root.map_or(Ok(()), RootPrivileges::drop_permanently).map_err(|source| data_dir.not_owner(source))?;
        Ok(data_dir)
    }

    /// The same, with the root privileges that were dropped, if any, for a process that needs them for something else.
    pub fn find_keeping_root(named: Option<&Path>) -> Result<(Self, Option<RootPrivileges>), DataDirError> {
        let data_dir = Self(Self::place(named)?);
        let root = RootPrivileges::drop_for(&data_dir.0).map_err(|source| data_dir.not_owner(source))?;
        Ok((data_dir, root))
    }

    fn not_owner(&self, source: io::Error) -> DataDirError {
        DataDirError::NotOwner { path: self.0.clone(), source }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A secret that is kept here, if it is.
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

    /// Keeps a new secret, readable by its owner alone.
    ///
    /// Appears whole or not at all; a secret that is there already is never replaced.
    ///
    /// # Errors
    /// [`DataDirError::Unusable`] when it cannot be written, or is there already.
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
        // The name itself is to survive a power cut too.
        fs::File::open(&self.0)?.sync_all()
    }

    /// Puts a secret in the place of another one, of which nothing is left.
    ///
    /// # Errors
    /// [`DataDirError::Unusable`] when it cannot be moved.
    pub fn rename_secret(&self, from: &str, to: &str) -> Result<(), DataDirError> {
        let path = self.0.join(from);
        let renamed = fs::rename(&path, self.0.join(to)).and_then(|()| fs::File::open(&self.0)?.sync_all());
        renamed.map_err(|source| DataDirError::Unusable { path, source })
    }

    /// Makes the folder. Root's can be passed through, since its private database runs as another user.
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
