//! The local store: what a receiver keeps on this machine's disk for the time when the database is unreachable.
//!
//! A folder of the data folder, held by one process: the spool and the messages that the database rejected when they
//! were drained (a [`Journal`] each), the cached registry, and the files that were found damaged. Plain files of lines,
//! each with a checksum and a number of its own: a damaged sector costs the messages in it and no others, what is
//! missing is noticed, and an operator can read the files with a pager. An embedded database keeps more in a page, and
//! takes the part of its own journal that it cannot read for a commit that did not happen.
//!
//! Damage never keeps a process from starting.

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

/// The folder's name in the data folder.
const FOLDER: &str = "local-store";

/// The file in it whose lock says that a process uses it.
const LOCK: &str = "lock";

/// The file of the cached registry.
const REGISTRY: &str = "registry";

/// What earlier versions kept instead.
const EARLIER_FILE: &str = "standby.sqlite";

/// The local store, held by this process alone.
pub struct LocalStore(Arc<Mutex<Option<Files>>>);

/// What is in it.
pub struct Files {
    pub spool: Journal,
    /// Messages that the database rejected when they were drained.
    pub rejected: Journal,
    folder: Folder,
    damaged: Folder,
    _lock: File,
}

/// The damage that was found, and that nobody has cleared away yet.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    pub files: u64,
    pub lost_messages: u64,
}

/// Why the local store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalStoreError {
    /// Another process has it.
    #[error("{0} is in use by another process: each process that receives needs a --data-dir of its own")]
    Taken(PathBuf),
    /// The system does not let it be read or written.
    #[error("cannot use {path}; --data-dir names another data folder")]
    Unusable { path: PathBuf, source: io::Error },
}

impl LocalStore {
    /// Opens the local store of a data folder, or makes it, readable by its owner alone.
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

    /// Uses the files, when nobody else in this process does. What has begun is finished, even if nobody waits for it.
    ///
    /// # Errors
    /// Those of the disk, and after the local store was closed.
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

    /// Lets another process have the local store.
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
        Ok(Self { spool: journal("spool")?, rejected: journal("refused")?, folder, damaged, _lock: lock })
    }

    /// Caches the registry in place of what was cached before.
    ///
    /// # Errors
    /// Those of the disk; then what was cached before stays.
    pub fn put_registry(&self, body: &str) -> io::Result<()> {
        self.folder.replace(REGISTRY, line::write(0, body).as_bytes()).map(drop)
    }

    /// The cached registry. A damaged one is set aside and not used: a key or a name in it may be another.
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

    /// The damage that is on record: the files in the folder `damaged`, until an operator removes them.
    pub fn damage(&self) -> io::Result<Damage> {
        let files = self.damaged.files()?;
        let lost = files.iter().filter_map(|(name, _)| journal::lost_messages_of(name));
        Ok(Damage { files: files.len() as u64, lost_messages: lost.sum() })
    }
}
