//! A private `PostgreSQL`: a server for this service alone, when `DATABASE_URL` is not set.
//!
//! It uses an installation of the machine (`installation`), runs as a child process that does not outlive this process
//! (`child`), keeps its data in the service's data folder (`folder`, `cluster`), is durable regardless of its
//! configuration file (`settings`), and is reachable only over a Unix socket (`socket`), for the service's user,
//! without a password.
//!
//! ```text
//! data folder           owned by the service; as root, its mode is 0711
//!   lock                the process that uses the folder: pid and holder
//!   postgres.log (.1)   the output of the server
//!   pg_hba.conf, pg_ident.conf
//!   postgres/           the data, owned by the server's user
//!   postgres.new/       the data while it is being created
//!   socket/             the socket, owned by the server's user; elsewhere if the path would be too long
//! ```
//!
//! Invariants: one process at a time uses the folder (`lock`). Stale files of an earlier server, whose pids other
//! processes may have now, never prevent a start, and only a process that is known to be a server of this folder is
//! signaled (`process`). Data is not touched before the earlier server has ended.
//!
//! All functions block.

mod account;
mod child;
mod cluster;
mod error;
mod folder;
mod install_hint;
mod installation;
mod lock;
mod log;
mod memory;
mod pid_file;
mod process;
mod server;
mod settings;
mod socket;
mod wait;

use std::path::{Path, PathBuf};

use self::{
    account::{Account, owner_of},
    cluster::Cluster,
    folder::{DataDirectory, pgdata_of},
    lock::{Acquired, FolderLock, Patience},
    pid_file::PidFile,
    process::Servers,
    server::Server,
};

pub use self::{error::PostgresError, lock::LockHolder};

/// Options of the private server.
#[derive(Debug, Clone)]
pub struct Options {
    pub data_dir: PathBuf,
    /// The bin folder of the `PostgreSQL` to use (`STREAMTALLY_PG_BIN`); `None` searches for the newest.
    pub bin: Option<PathBuf>,
    /// The kind of this process, for others that use the same folder.
    pub holder: LockHolder,
    /// Additional server settings, by name and value. They override the defaults of this crate.
    pub parameters: Vec<(String, String)>,
}

/// The private server: a child of this process, or that of the service that runs with the same folder.
///
/// Dropping it without [`stop`](Self::stop) stops a child, too, with shorter timeouts.
#[derive(Debug)]
pub struct PrivatePostgres {
    socket_dir: PathBuf,
    owned: Option<Owned>,
}

/// Fields are dropped in order: the lock outlives the server.
#[derive(Debug)]
struct Owned {
    /// `None` after a failed restart.
    server: Option<Server>,
    cluster: Cluster,
    _lock: FolderLock,
}

impl PrivatePostgres {
    /// Starts the server of the folder, which is created if needed, and returns when it accepts connections. A command
    /// uses the server of a service that runs with the same folder.
    ///
    /// # Errors
    ///
    /// Each says what to do: no installation, a folder that is unusable or in use, a server that does not start.
    pub fn open(options: &Options) -> Result<Self, PostgresError> {
        let server_user = Account::of_server(&pgdata_of(&options.data_dir))?;
        let folder = DataDirectory::prepare(&options.data_dir, &server_user)?;
        let running = || socket_of_running_server(&folder);
        let lock = match FolderLock::acquire(&folder, options.holder, Patience::default(), running)? {
            Acquired::Served(socket_dir) => {
                return Ok(Self { socket_dir, owned: None });
            }
            Acquired::Lock(lock) => lock,
        };
        let cluster = Cluster::prepare(folder, options)?;
        cluster.create_if_missing()?;
        let server = cluster.start()?;
        let socket_dir = cluster.socket().path().to_path_buf();
        let pid = server.pid();
        tracing::info!(pid, socket = %socket_dir.display(), "private PostgreSQL is ready");
        Ok(Self { socket_dir, owned: Some(Owned { server: Some(server), cluster, _lock: lock }) })
    }

    /// Whether a data folder has a database.
    pub fn exists_in(data_dir: &Path) -> bool {
        pgdata_of(data_dir).join("PG_VERSION").is_file()
    }

    /// The folder of the Unix socket: the host parameter of clients.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The port, which is part of the socket's file name.
    pub fn port(&self) -> u16 {
        socket::PORT
    }

    /// The role to connect as, without a password.
    pub fn user(&self) -> &str {
        settings::ROLE
    }

    /// The database to connect to.
    pub fn database(&self) -> &str {
        settings::DATABASE
    }

    /// Restarts the server if it has died, and returns whether it did. Call it regularly. The new server has the same
    /// socket. Does nothing for the server of another process.
    ///
    /// # Errors
    ///
    /// The server does not start. The next call retries.
    pub fn restart_if_dead(&mut self) -> Result<bool, PostgresError> {
        let Some(owned) = &mut self.owned else {
            return Ok(false);
        };
        if let Some(server) = &mut owned.server {
            let Some(status) = server.ended() else {
                return Ok(false);
            };
            let pid = server.pid();
            tracing::warn!(
                pid,
                %status,
                "private PostgreSQL has died; restarting it: if it happens again, see postgres.log in the data \
                 folder"
            );
            owned.server = None;
        }
        let server = owned.cluster.start()?;
        tracing::info!(pid = server.pid(), "private PostgreSQL is ready again");
        owned.server = Some(server);
        Ok(true)
    }

    /// Stops the server in order, if it is a child: it rejects new connections at once, ends existing ones, and writes
    /// a checkpoint. After 30 s it is stopped immediately, and recovers at its next start.
    ///
    /// # Errors
    ///
    /// The server does not stop.
    pub fn stop(mut self) -> Result<(), PostgresError> {
        let Some(mut owned) = self.owned.take() else {
            return Ok(());
        };
        if let Some(server) = owned.server.take() {
            server.stop(&owned.cluster.folder().pgdata())?;
        }
        owned.cluster.socket().clean_up();
        Ok(())
    }
}

/// The socket's folder of the server that another process runs for this data folder, once it is ready.
fn socket_of_running_server(folder: &DataDirectory) -> Result<Option<PathBuf>, PostgresError> {
    let pgdata = folder.pgdata();
    let Some(owner) = owner_of(&pgdata)? else {
        return Ok(None);
    };
    let ready = PidFile::read(&pgdata)?.filter(|file| file.ready && Servers::of(&pgdata, owner).has_main(file.pid));
    Ok(ready.and_then(|file| file.socket_dir))
}
