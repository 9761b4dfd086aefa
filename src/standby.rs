//! The standby file of the data folder: what a receiver needs while the database is away. See [`crate::store::standby`].

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::store::standby;

/// The file's name in the data folder.
const FILE: &str = "standby.sqlite";

/// The standby file, held by this process alone.
pub struct Standby(Mutex<Option<SqliteConnection>>);

/// Why the standby file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StandbyError {
    /// Another process has it.
    #[error("{0} is in use by another process: each process that receives needs a --data-dir of its own")]
    Taken(PathBuf),
    /// The system does not let it be made.
    #[error("cannot use {path}; --data-dir names another data folder")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be read or written.
    #[error("cannot use {path}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: sqlx::Error,
    },
}

impl Standby {
    /// Opens the file of a data folder, or makes it, readable by its owner alone.
    ///
    /// # Errors
    /// [`StandbyError`].
    pub async fn open(data_dir: &Path) -> Result<Self, StandbyError> {
        let path = data_dir.join(FILE);
        make(data_dir, &path).map_err(|source| StandbyError::Unusable { path: path.clone(), source })?;
        match standby::open(&path).await {
            Ok(connection) => Ok(Self(Mutex::new(Some(connection)))),
            Err(error) if standby::is_taken(&error) => Err(StandbyError::Taken(path)),
            Err(source) => Err(StandbyError::Broken { path, source }),
        }
    }

    /// The file, when nobody else in this process uses it.
    ///
    /// # Errors
    /// After it was closed.
    pub async fn file(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, sqlx::Error> {
        MutexGuard::try_map(self.0.lock().await, Option::as_mut).map_err(|_| sqlx::Error::PoolClosed)
    }

    /// Lets another process have the file.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn close(&self) -> Result<(), sqlx::Error> {
        match self.0.lock().await.take() {
            Some(file) => file.close().await,
            None => Ok(()),
        }
    }
}

/// Makes the file unless it is there, and closes it to all but its owner. A link in its place is rejected: `SQLite` would
/// follow it.
fn make(data_dir: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(data_dir)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options.open(path)?.set_permissions(Permissions::from_mode(0o600))?;
    // The name itself is to survive a power cut too.
    fs::File::open(data_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn a_link_in_the_place_of_the_file_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        symlink(&elsewhere, folder.path().join(FILE)).unwrap();
        assert!(matches!(Standby::open(folder.path()).await, Err(StandbyError::Unusable { .. })));
        assert!(!elsewhere.exists());
    }

    #[tokio::test]
    async fn the_file_and_what_sqlite_keeps_beside_it_are_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let standby = Standby::open(folder.path()).await.unwrap();
        let modes = fs::read_dir(folder.path()).unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name(), entry.metadata().unwrap().permissions().mode() & 0o777)
        });
        let modes: Vec<_> = modes.collect();
        assert!(modes.len() > 1 && modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
        standby.close().await.unwrap();
    }
}
