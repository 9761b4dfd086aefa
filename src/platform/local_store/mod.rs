//! The local store: the files of a receiving process for the time when the database is unreachable.
//!
//! It is a folder in the data folder, locked by one process. It contains the spool and the queue of callbacks that the
//! database rejected while draining (a [`Journal`] each), the cached registry, and damaged files that were set aside.
//! The files are text, and each line has a number and a checksum: a damaged sector costs only the messages in it,
//! missing messages are detected, and an operator can read the files with a pager. An embedded database stores more
//! messages in a page, and treats an unreadable part of its own journal as a commit that did not happen.
//!
//! Damage never prevents a process from starting.

mod folder;
mod journal;
mod line;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;

use folder::{Folder, is_damage};

pub use journal::{Chunk, Journal, Loss};

const FOLDER: &str = "local-store";

/// The lock file: a process that uses the local store locks it.
const LOCK: &str = "lock";

const REGISTRY: &str = "registry";

/// The local store of earlier versions.
const EARLIER_FILE: &str = "standby.sqlite";

/// The local store, locked by this process.
pub struct LocalStore(Arc<Mutex<Option<Files>>>);

pub struct Files {
    pub spool: Journal,
    /// Callbacks that the database rejected while draining.
    pub rejected: Journal,
    folder: Folder,
    damaged: Folder,
    _lock: File,
}

/// The damage that was found, until an operator removes the damaged files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    pub files: u64,
    pub lost_messages: u64,
}

/// Why the local store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalStoreError {
    /// Another process has locked it.
    #[error("{0} is in use by another process: give each receiving process its own --data-dir")]
    Taken(PathBuf),
    /// Reading or writing it failed.
    #[error("cannot use {path}; --data-dir names another data folder")]
    Unusable { path: PathBuf, source: io::Error },
}

impl LocalStore {
    /// Opens the local store of a data folder, or creates it, accessible only to its owner.
    pub fn open(data_dir: &Path) -> Result<Self, LocalStoreError> {
        let path = data_dir.join(FOLDER);
        let unusable = |source| LocalStoreError::Unusable { path: path.clone(), source };
        let folder = std::fs::create_dir_all(data_dir).and_then(|()| Folder::make(&path)).map_err(unusable)?;
        let lock = folder.open_or_create(LOCK).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LocalStoreError::Taken(path)),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let files = Files::open(folder, lock).map_err(unusable)?;
        if data_dir.join(EARLIER_FILE).exists() {
            tracing::error!(
                "standby.sqlite in the data folder is of an earlier version and is not read: drain its callbacks \
                 with that version, then remove the file"
            );
        }
        Ok(Self(Arc::new(Mutex::new(Some(files)))))
    }

    /// Runs an action on the files, exclusively within this process. A started action completes even if its caller is
    /// dropped.
    ///
    /// # Errors
    /// Those of the disk; or the local store is closed.
    pub async fn with<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Files) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let files = Arc::clone(&self.0);
        let done = spawn_blocking(move || {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            action(files.as_mut().ok_or(io::ErrorKind::NotConnected)?)
        });
        done.await.map_err(io::Error::other)?
    }

    /// Unlocks the local store for other processes.
    pub async fn close(&self) {
        let files = Arc::clone(&self.0);
        let closed = spawn_blocking(move || files.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(closed.await);
    }
}

impl Files {
    fn open(folder: Folder, lock: File) -> io::Result<Self> {
        let damaged = folder.make_inner("damaged")?;
        let journal = |name| Journal::open(folder.make_inner(name)?, damaged.clone());
        Ok(Self { spool: journal("spool")?, rejected: journal("rejected")?, folder, damaged, _lock: lock })
    }

    /// Replaces the cached registry.
    ///
    /// # Errors
    /// Those of the disk; then the previous one stays.
    pub fn put_registry(&self, body: &str) -> io::Result<()> {
        self.folder.replace(REGISTRY, line::write(0, body).as_bytes()).map(drop)
    }

    /// The cached registry. A damaged one is set aside and not used: a key or a name in it may be wrong.
    pub fn get_registry(&self) -> io::Result<Option<String>> {
        let read = match self.folder.read(REGISTRY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if !is_damage(&error) => return Err(error),
            read => read.ok(),
        };
        let body = read.as_deref().and_then(line::read).map(|(_, body)| body.to_owned());
        if body.is_none() {
            self.folder.set_aside(REGISTRY, &self.damaged)?;
            tracing::error!(
                "the cached registry is damaged: it was moved to local-store/damaged and is rebuilt when the \
                 database is reachable; check the data folder's disk"
            );
        }
        Ok(body)
    }

    /// The damage on record: the files in the folder `damaged`, until an operator removes them.
    pub fn damage(&self) -> io::Result<Damage> {
        let files = self.damaged.files()?;
        let lost = files.iter().filter_map(|(name, _)| journal::lost_messages_of(name));
        Ok(Damage { files: files.len() as u64, lost_messages: lost.sum() })
    }
}
