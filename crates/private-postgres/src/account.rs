//! The user that runs the server: `PostgreSQL` does not run as root, so root runs it as another user.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use nix::unistd::{Uid, User};

use super::error::PostgresError;

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: String,
}

impl Account {
    /// The user this process runs as.
    pub(super) fn ourselves() -> Result<Self, PostgresError> {
        Self::by_uid(Uid::effective().as_raw())
    }

    /// The user to run the server of a database: the user of this process, unless that is root; then the owner of the
    /// database, else `postgres`, else `nobody`.
    pub(super) fn of_server(pgdata: &Path) -> Result<Self, PostgresError> {
        let ourselves = Self::ourselves()?;
        if !ourselves.is_root() {
            return Ok(ourselves);
        }
        if let Some(uid) = owner_of(pgdata)?.filter(|uid| *uid != 0) {
            return Self::by_uid(uid);
        }
        let named = |name| User::from_name(name).ok().flatten().filter(|user| !user.uid.is_root());
        named("postgres").or_else(|| named("nobody")).map(Self::from).ok_or(PostgresError::NoServerUser)
    }

    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }

    fn by_uid(uid: u32) -> Result<Self, PostgresError> {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        user.map(Self::from).ok_or(PostgresError::NamelessUser { uid })
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name }
    }
}

/// A user's name, or its number if it has no name; for messages.
pub(super) fn name_of(uid: u32) -> String {
    Account::by_uid(uid).map_or_else(|_| uid.to_string(), |account| account.name)
}

/// The owner of `path`, or `None` if it does not exist. (Creating the folder reports a missing or inaccessible parent.)
pub(super) fn owner_of(path: &Path) -> Result<Option<u32>, PostgresError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.uid())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(PostgresError::Io { action: "access", path: path.to_path_buf(), source }),
    }
}
