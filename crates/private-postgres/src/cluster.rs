//! The database in a data folder: its programs and settings, its creation, and its start after an earlier server.
//!
//! Invariant: `postgres/` is complete. The database is created under another name and then renamed; a folder with the
//! other name is unfinished.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{self as unix, DirBuilderExt},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    Options,
    account::{Account, name_of, owner_of},
    child,
    error::PostgresError,
    folder::DataDirectory,
    installation::PostgresBinaries,
    log::{ServerLog, last_lines},
    memory,
    pid_file::PidFile,
    process::{self, Servers},
    server::{FAST_STOP, IMMEDIATE_STOP, Server},
    settings::{self, DATABASE, Machine, ROLE, SUPERUSER},
    socket::SocketFolder,
    wait,
};

/// How long a new server may encounter the shared memory of an earlier one.
const OLD_MEMORY: Duration = Duration::from_mins(1);
/// How long killed programs may still write to a folder.
const LEFT_OVER_WRITERS: Duration = Duration::from_secs(10);

/// Everything that is needed to start the server of a folder repeatedly. Use it only while holding the folder's lock.
#[derive(Debug)]
pub(super) struct Cluster {
    folder: DataDirectory,
    installation: PostgresBinaries,
    server_user: Account,
    change_user: bool,
    socket: SocketFolder,
    identity: String,
    servers: Servers,
    parameters: Vec<(String, String)>,
}

impl Cluster {
    /// Finds the programs for the folder, and creates the files that the server needs in addition to its data.
    pub(super) fn prepare(folder: DataDirectory, options: &Options) -> Result<Self, PostgresError> {
        let pgdata = folder.pgdata();
        let ourselves = Account::ourselves()?;
        let server_user = Account::of_server(&pgdata)?;
        let version = version_of(&pgdata, &server_user)?;
        let installation = PostgresBinaries::find(options.bin.as_deref(), &pgdata, version)?;
        let identity = settings::identity_of(&pgdata);
        let socket = SocketFolder::prepare(folder.path(), &identity, &server_user)?;
        let mut users = vec!["root"];
        users.extend(Some(ourselves.name.as_str()).filter(|name| *name != "root"));
        DataDirectory::write_file(&folder.hba(), &settings::access_rules())?;
        DataDirectory::write_file(&folder.ident(), &settings::access_map(&users))?;
        Ok(Self {
            servers: Servers::of(&pgdata, server_user.uid),
            change_user: ourselves.is_root(),
            parameters: options.parameters.clone(),
            folder,
            installation,
            server_user,
            socket,
            identity,
        })
    }

    pub(super) fn socket(&self) -> &SocketFolder {
        &self.socket
    }

    pub(super) fn folder(&self) -> &DataDirectory {
        &self.folder
    }

    /// Creates the database, unless it exists. If this is interrupted, the next start creates it again.
    pub(super) fn create_if_missing(&self) -> Result<(), PostgresError> {
        let (new, pgdata) = (self.folder.new_pgdata(), self.folder.pgdata());
        remove_unfinished(&new)?;
        if version_of(&pgdata, &self.server_user)?.is_some() {
            return Ok(());
        }
        let version = self.installation.major;
        tracing::info!(folder = %pgdata.display(), version, "making a private database");
        DirBuilder::new().mode(0o700).create(&new).map_err(PostgresError::io("create", &new))?;
        if self.change_user {
            unix::chown(&new, Some(self.server_user.uid), Some(self.server_user.gid))
                .map_err(PostgresError::io("change the owner of", &new))?;
        }
        let mut initdb = self.command("initdb", Signal::KILL);
        initdb.arg("-D").arg(&new).args(["-U", SUPERUSER, "--encoding=UTF8", "--locale=C", "--data-checksums"]);
        initdb.args(["--auth-local=peer", "--auth-host=reject", "--no-instructions"]);
        run(initdb, "")?;
        let mut single = self.command("postgres", Signal::KILL);
        single.arg("--single").arg("-D").arg(&new).args(["-c", "exit_on_error=on", "postgres"]);
        run(single, &format!("create role {ROLE} login\ncreate database {DATABASE} owner {ROLE}\n"))?;
        fs::rename(&new, &pgdata).map_err(PostgresError::io("rename the new database to", &pgdata))?;
        let data_dir = self.folder.path();
        File::open(data_dir).and_then(|folder| folder.sync_all()).map_err(PostgresError::io("sync", data_dir))
    }

    /// Starts the server, after the processes of an earlier one have ended.
    pub(super) fn start(&self) -> Result<Server, PostgresError> {
        let started = Instant::now();
        loop {
            self.clear_left_overs()?;
            let log = ServerLog::open(&self.folder)?;
            match Server::start(self.server_command(), &self.folder.pgdata(), &log) {
                // Processes that cannot be identified still share the old server's memory.
                Err(PostgresError::EndedDuringStart { tail, .. })
                    if tail.contains("pre-existing shared memory block") && started.elapsed() < OLD_MEMORY =>
                {
                    tracing::debug!("waiting for the last processes of an earlier PostgreSQL");
                    wait::pause();
                }
                result => return result,
            }
        }
    }

    fn server_command(&self) -> Command {
        let machine = Machine {
            shared_memory_bytes: rustix::fs::statvfs("/dev/shm").ok().map(|shm| shm.f_blocks * shm.f_frsize),
            memory_bytes: memory::available_bytes(),
            has_lz4: self.installation.has_lz4(),
        };
        let mut command = self.command("postgres", Signal::INT);
        command.arg("-D").arg(self.folder.pgdata()).args(settings::arguments(
            &self.folder,
            self.socket.path(),
            &self.identity,
            &machine,
            &self.parameters,
        ));
        command
    }

    fn command(&self, program: &str, signal_at_our_death: Signal) -> Command {
        let user = Some(&self.server_user).filter(|_| self.change_user);
        child::command(&self.installation.program(program), user, signal_at_our_death)
    }

    /// Stops processes of an earlier server, and removes its stale files. While the lock is held and no process of this
    /// database is left, these files are stale, even if other processes have their pids now.
    fn clear_left_overs(&self) -> Result<(), PostgresError> {
        let pgdata = self.folder.pgdata();
        if let Some(file) = PidFile::read(&pgdata)?
            && self.servers.has_main(file.pid)
        {
            tracing::warn!(pid = file.pid, "stopping a PostgreSQL that outlived its service");
            let alive = || self.servers.has_main(file.pid).then_some(file.pid).into_iter().collect();
            stop_all(&pgdata, alive, &[(Signal::INT, FAST_STOP), (Signal::QUIT, IMMEDIATE_STOP)])?;
        }
        // Without their main process these can only crash; like the main process, this asks once, then kills.
        let patience = Duration::from_secs(5);
        stop_all(&pgdata, || self.servers.all(), &[(Signal::QUIT, patience), (Signal::KILL, patience)])?;
        PidFile::remove(&pgdata)?;
        self.socket.remove_stale_files()
    }
}

/// Sends each signal to the processes that are still `alive`, until none is left.
fn stop_all(pgdata: &Path, alive: impl Fn() -> Vec<i32>, signals: &[(Signal, Duration)]) -> Result<(), PostgresError> {
    for (signal, limit) in signals {
        for pid in alive() {
            process::signal(pid, *signal);
        }
        if wait::until(*limit, || alive().is_empty()) {
            return Ok(());
        }
    }
    match alive().first() {
        Some(pid) => Err(PostgresError::WillNotStop { pid: *pid, pgdata: pgdata.to_path_buf() }),
        None => Ok(()),
    }
}

/// The major version of the database in `pgdata`, or `None` if it does not exist yet.
fn version_of(pgdata: &Path, server_user: &Account) -> Result<Option<u32>, PostgresError> {
    let Some(owner) = owner_of(pgdata)? else {
        return Ok(None);
    };
    if !pgdata.is_dir() {
        return Err(PostgresError::NotAFolder { path: pgdata.to_path_buf() });
    }
    let foreign = || PostgresError::ForeignDatabase {
        pgdata: pgdata.to_path_buf(),
        owner: name_of(owner),
        user: server_user.name.clone(),
    };
    match fs::read_dir(pgdata).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return Ok(None),
        _ if owner != server_user.uid => return Err(foreign()),
        Ok(false) => {}
        Err(error) => return Err(PostgresError::io("list", pgdata)(error)),
    }
    let version = fs::read_to_string(pgdata.join("PG_VERSION")).ok();
    let major = version.as_deref().and_then(|version| version.trim().split('.').next()?.parse().ok());
    major.map(Some).ok_or_else(|| PostgresError::NotADatabase { pgdata: pgdata.to_path_buf() })
}

/// Removes an unfinished database. Programs that died with an earlier process may still write to it briefly.
fn remove_unfinished(new: &Path) -> Result<(), PostgresError> {
    let mut outcome = Ok(());
    let removed = || {
        outcome = fs::remove_dir_all(new).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        });
        !matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty)
    };
    wait::until(LEFT_OVER_WRITERS, removed);
    outcome.map_err(PostgresError::io("remove the unfinished", new))
}

/// Runs one of the programs that create the database, until it ends.
fn run(mut command: Command, input: &str) -> Result<(), PostgresError> {
    let program = Path::new(command.get_program()).to_path_buf();
    let cannot_run = |source| PostgresError::Run { program: program.clone(), source };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot_run)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ended without reading its input explains why in its output.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(cannot_run)?;
    if output.status.success() {
        return Ok(());
    }
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    Err(PostgresError::CreateDatabase { output: last_lines(said), status: output.status, program })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(version: &str) -> (tempfile::TempDir, Account) {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("PG_VERSION"), version).unwrap();
        (temp, Account::ourselves().unwrap())
    }

    #[test]
    fn a_database_names_its_version() {
        for (written, major) in [("15\n", 15), ("9.6\n", 9)] {
            let (temp, ourselves) = database(written);
            assert_eq!(version_of(temp.path(), &ourselves).unwrap(), Some(major));
        }
    }

    #[test]
    fn nothing_or_an_empty_folder_is_still_to_be_made() {
        let temp = tempfile::tempdir().unwrap();
        let ourselves = Account::ourselves().unwrap();
        assert_eq!(version_of(temp.path(), &ourselves).unwrap(), None);
        assert_eq!(version_of(&temp.path().join("missing"), &ourselves).unwrap(), None);
    }

    #[test]
    fn other_things_are_not_taken_for_a_database() {
        let (temp, ourselves) = database("fifteen\n");
        let error = version_of(temp.path(), &ourselves).unwrap_err();
        assert!(matches!(error, PostgresError::NotADatabase { .. }), "{error}");
        let error = version_of(&temp.path().join("PG_VERSION"), &ourselves).unwrap_err();
        assert!(matches!(error, PostgresError::NotAFolder { .. }), "{error}");
    }

    #[test]
    fn the_database_of_another_user_is_refused() {
        let (temp, ourselves) = database("15\n");
        let other = Account { uid: ourselves.uid + 1, name: "other".to_owned(), ..ourselves };
        let error = version_of(temp.path(), &other).unwrap_err();
        assert!(matches!(error, PostgresError::ForeignDatabase { .. }), "{error}");
    }

    #[test]
    fn an_unfinished_database_is_removed_and_a_missing_one_is_fine() {
        let temp = tempfile::tempdir().unwrap();
        let new = temp.path().join("postgres.new");
        fs::create_dir_all(new.join("base/1")).unwrap();
        fs::write(new.join("base/1/2"), "page").unwrap();
        remove_unfinished(&new).unwrap();
        assert!(!new.exists());
        remove_unfinished(&new).unwrap();
    }
}
