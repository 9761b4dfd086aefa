//! Errors of the private server, which say what to do.
//!
//! A message never repeats its source: the caller prints the whole chain once.

use std::{io, path::PathBuf, process::ExitStatus};

/// Why the private `PostgreSQL` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The machine has no `PostgreSQL`.
    #[error(
        "no PostgreSQL {oldest} or later was found on this machine: set DATABASE_URL to use a \
         server of your own, as a container must; or install one ({install}), or name the folder \
         of its programs in STREAMTALLY_PG_BIN"
    )]
    NoInstallation { oldest: u32, install: &'static str },
    /// The installed `PostgreSQL` is too old.
    #[error(
        "PostgreSQL {found} in {folder} is too old, {oldest} or later is needed: install one \
         ({install}), name the folder of its programs in STREAMTALLY_PG_BIN, or set DATABASE_URL \
         to use a server of your own"
    )]
    InstallationTooOld { found: u32, folder: PathBuf, oldest: u32, install: &'static str },
    /// The folder that the operator named has no `PostgreSQL` programs.
    #[error(
        "STREAMTALLY_PG_BIN names {folder}, where there are no programs `postgres` and `initdb` \
         that run: name the bin folder of a PostgreSQL {oldest} or later ({install}), or set \
         DATABASE_URL to use a server of your own"
    )]
    NoProgramsInNamedFolder { folder: PathBuf, oldest: u32, install: &'static str },
    /// A version that is not installed wrote the data.
    #[error(
        "{pgdata} was written by PostgreSQL {wanted}, and this machine has {found}: install \
         PostgreSQL {wanted}, or move the data with pg_upgrade"
    )]
    VersionNotInstalled { pgdata: PathBuf, wanted: u32, found: String },
    /// `postgres/` exists, but is not a database.
    #[error(
        "{pgdata} holds files but no database (no readable PG_VERSION): move it away, or choose \
         another --data-dir"
    )]
    NotADatabase { pgdata: PathBuf },
    /// A path that should be a folder is something else.
    #[error("{path} is not a folder: choose another --data-dir")]
    NotAFolder { path: PathBuf },
    /// The data folder cannot be created.
    #[error(
        "cannot create the data folder {path}: create it for user {user}, or choose another \
         --data-dir"
    )]
    CreateFolder { path: PathBuf, user: String, source: io::Error },
    /// The data folder cannot be written.
    #[error(
        "cannot write in the data folder {path}: give it to user {user}, or choose another \
         --data-dir"
    )]
    NotWritable { path: PathBuf, user: String, source: io::Error },
    /// The server's user has no access to the data.
    #[error(
        "user {user}, who runs PostgreSQL because root must not, may not enter {folder}: choose \
         a --data-dir outside it (/var/lib/streamtally, say) in place of {data_dir}, or allow \
         entry with chmod o+x"
    )]
    NotTraversable { folder: PathBuf, data_dir: PathBuf, user: String },
    /// The database belongs to another user.
    #[error(
        "the database {pgdata} belongs to user {owner}, not to {user}: run as that user, or \
         choose another --data-dir"
    )]
    ForeignDatabase { pgdata: PathBuf, owner: String, user: String },
    /// A user id without a name: neither initdb nor peer authentication works with it.
    #[error(
        "user id {uid} has no name on this machine, and PostgreSQL needs one: add it to \
         /etc/passwd, or set DATABASE_URL"
    )]
    NamelessUser { uid: u32 },
    /// Root found no user to run the server.
    #[error(
        "PostgreSQL must not run as root, and there is neither a user postgres nor nobody: \
         create one, or set DATABASE_URL"
    )]
    NoServerUser,
    /// Another service uses this folder.
    #[error(
        "a streamtally service (pid {pid}) already runs with the data folder {folder}: stop it, \
         or choose another --data-dir"
    )]
    AlreadyServing { pid: i32, folder: PathBuf },
    /// Another process uses the folder for too long.
    #[error(
        "the data folder {folder} is still in use by {holder} after {waited_seconds} s: wait \
         until it has ended"
    )]
    FolderInUse { folder: PathBuf, holder: String, waited_seconds: u64 },
    /// The service that owns the folder has no ready server.
    #[error(
        "the streamtally service (pid {pid}) that owns {folder} has had no PostgreSQL ready for \
         {waited_seconds} s: see {log}"
    )]
    ServiceNotReady { pid: i32, folder: PathBuf, log: PathBuf, waited_seconds: u64 },
    /// Other users could tamper with the folder for the socket.
    #[error(
        "{folder}, meant for PostgreSQL's socket, {fault}: remove it, or choose a shorter \
         --data-dir"
    )]
    UnsafeSocketFolder { folder: PathBuf, fault: &'static str },
    /// `initdb`, or the creation of the service's database, failed.
    #[error("{program} could not create the database ({status}):\n{output}")]
    CreateDatabase { program: PathBuf, status: ExitStatus, output: String },
    /// The server ended before it was ready.
    #[error("PostgreSQL ended during its start ({status}), with these last lines in {log}:\n{tail}")]
    EndedDuringStart { status: ExitStatus, log: PathBuf, tail: String },
    /// The server runs, but does not become ready.
    #[error(
        "PostgreSQL was not ready after {waited_seconds} s without progress, with these last lines \
         in {log}:\n{tail}"
    )]
    NotReady { waited_seconds: u64, log: PathBuf, tail: String },
    /// A server of this folder does not stop.
    #[error("PostgreSQL process {pid} of {pgdata} does not stop: find out why, and stop it manually")]
    WillNotStop { pid: i32, pgdata: PathBuf },
    /// A program could not be started.
    #[error("cannot run {program}")]
    Run { program: PathBuf, source: io::Error },
    /// Any other error of the system.
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl PostgresError {
    /// For `map_err`: the action that failed, and its path.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
