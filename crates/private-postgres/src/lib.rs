//! The private `PostgreSQL`: a server of the service's own, for whoever sets no `DATABASE_URL`.
//!
//! It runs from whatever installation the machine has (`installation`), as a child process that
//! does not outlive us (`child`), on data in the service's data folder (`folder`, `cluster`),
//! durable whatever its configuration file says (`settings`), and is reached over a Unix socket
//! alone (`socket`), by the user of the machine and without a password.
//!
//! ```text
//! data folder           the service's own; as root it is 0711
//!   lock                who works on the folder: pid and holder
//!   postgres.log (.1)   what the server says
//!   pg_hba.conf, pg_ident.conf
//!   postgres/           the data, of the server's user
//!   postgres.new/       the data while it is made
//!   socket/             the socket, of the server's user; elsewhere if the path would be too long
//! ```
//!
//! Invariants: one process at a time touches the folder (`lock`); the files of a server that is
//! gone, with pids that may be anybody's by now, never stop a start, and no process is signalled
//! that is not known to be a server of this folder (`process`); no data is touched before the
//! earlier server has ended.
//!
//! Everything here blocks.

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

/// What the private server is opened with.
#[derive(Debug, Clone)]
pub struct Options {
    pub data_dir: PathBuf,
    /// The bin folder of the `PostgreSQL` to use (`STREAMTALLY_PG_BIN`); `None` looks for the newest.
    pub bin: Option<PathBuf>,
    /// What we are, for others who come to the same folder.
    pub holder: LockHolder,
    /// Further server settings, by name and value. They beat our own.
    pub parameters: Vec<(String, String)>,
}

/// The private server: our own, or that of the service that runs on the same folder.
///
/// Dropped without [`stop`](Self::stop), a server of our own is stopped as well, with less
/// patience.
#[derive(Debug)]
pub struct PrivatePostgres {
    socket_dir: PathBuf,
    owned: Option<Owned>,
}

/// Dropped from top to bottom: the lock outlives the server.
#[derive(Debug)]
struct Owned {
    /// `None` after an attempt to restart it failed.
    server: Option<Server>,
    cluster: Cluster,
    _lock: FolderLock,
}

impl PrivatePostgres {
    /// Starts the server of the folder, which is made at first, and returns once it takes
    /// connections. A command that finds a service on the folder uses the service's server.
    ///
    /// # Errors
    ///
    /// Each says what to do: no installation, a folder that cannot be used or is in use, a server
    /// that does not start.
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

    /// Whether a data folder has a database yet.
    pub fn exists_in(data_dir: &Path) -> bool {
        pgdata_of(data_dir).join("PG_VERSION").is_file()
    }

    /// The folder of the Unix socket: the host, for clients.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The port, which is part of the socket's name.
    pub fn port(&self) -> u16 {
        socket::PORT
    }

    /// The role to connect as. There is no password.
    pub fn user(&self) -> &str {
        settings::ROLE
    }

    /// The database to connect to.
    pub fn database(&self) -> &str {
        settings::DATABASE
    }

    /// Starts the server again if it has died, and tells whether it did. To be called often.
    /// Clients find the new server where the old one was. Does nothing for the server
    /// of another process.
    ///
    /// # Errors
    ///
    /// The server does not start. The next call tries again.
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

    /// Stops the server in good order, if it is ours: at once it refuses new connections, ends the
    /// present ones and writes everything out. After 30 s it is stopped without that, and recovers
    /// at its next start.
    ///
    /// # Errors
    ///
    /// The server does not stop at all.
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

/// The folder of the socket of the server that another process runs for this data folder, once it
/// is ready.
fn socket_of_running_server(folder: &DataDirectory) -> Result<Option<PathBuf>, PostgresError> {
    let pgdata = folder.pgdata();
    let Some(owner) = owner_of(&pgdata)? else {
        return Ok(None);
    };
    let ready = PidFile::read(&pgdata)?.filter(|file| file.ready && Servers::of(&pgdata, owner).has_main(file.pid));
    Ok(ready.and_then(|file| file.socket_dir))
}
