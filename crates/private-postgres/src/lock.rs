//! One process at a time uses a data folder.
//!
//! The kernel releases the lock when the process ends for any reason, so no lock is ever stale. The *content* of the
//! file is for other processes, and is trusted only while the process that it names lives.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Seek, Write},
    path::Path,
    process,
    str::FromStr,
    time::{Duration, Instant},
};

use rustix::{io::Errno, process::Pid};

use super::{
    account::Account,
    error::PostgresError,
    folder::{DataDirectory, open_file},
    wait,
};

/// The kind of process that opens the private server. The lock file contains it, after the pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockHolder {
    /// A service: it owns the server, and runs for long.
    Serve,
    /// A command: it is short, and can use the server of a running service.
    Command,
}

impl LockHolder {
    fn word(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Command => "command",
        }
    }
}

/// The right to use a data folder, until dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

/// The result of an attempt to lock a folder.
#[derive(Debug)]
pub(super) enum Acquired<T> {
    /// This process has locked the folder.
    Lock(FolderLock),
    /// A service has locked it, and its server is ready.
    Served(T),
}

/// How long to wait for other processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) service: Duration,
    pub(super) command: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { service: Duration::from_mins(1), command: Duration::from_secs(30) }
    }
}

impl FolderLock {
    /// Locks the folder, or finds the service that has locked it: then `served` returns access to its server once that
    /// is ready. A second service fails at once; all wait for a command to end.
    pub(super) fn acquire<T>(
        folder: &DataDirectory,
        ours: LockHolder,
        patience: Patience,
        mut served: impl FnMut() -> Result<Option<T>, PostgresError>,
    ) -> Result<Acquired<T>, PostgresError> {
        let mut file = open(folder)?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => {
                    write_holder(&mut file, ours).map_err(PostgresError::io("write", folder.lock()))?;
                    return Ok(Acquired::Lock(Self { file }));
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => {
                    return Err(PostgresError::io("lock", folder.lock())(source));
                }
            }
            let holder = Holder::read(&folder.lock());
            let path = folder.path().to_path_buf();
            match &holder {
                Some(Holder { pid, holder: LockHolder::Serve }) => match ours {
                    LockHolder::Serve => {
                        return Err(PostgresError::AlreadyServing { pid: *pid, folder: path });
                    }
                    LockHolder::Command => {
                        if let Some(server) = served()? {
                            return Ok(Acquired::Served(server));
                        }
                        if started.elapsed() >= patience.service {
                            let waited_seconds = patience.service.as_secs();
                            return Err(PostgresError::ServiceNotReady {
                                pid: *pid,
                                folder: path,
                                log: folder.log(),
                                waited_seconds,
                            });
                        }
                    }
                },
                _ if started.elapsed() >= patience.command => {
                    let waited_seconds = patience.command.as_secs();
                    return Err(PostgresError::FolderInUse { folder: path, holder: describe(holder), waited_seconds });
                }
                _ => {}
            }
            wait::pause();
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Others must not read this process's entry when the lock is free. If this fails, its dead pid invalidates the
        // entry.
        let _ = self.file.set_len(0);
    }
}

fn open(folder: &DataDirectory) -> Result<File, PostgresError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
    open_file(&folder.lock(), 0o600, &mut options).or_else(|source| {
        let refusals = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
        if !refusals.contains(&source.kind()) {
            return Err(PostgresError::io("open", folder.lock())(source));
        }
        let user = Account::ourselves()?.name;
        Err(PostgresError::NotWritable { path: folder.path().to_path_buf(), user, source })
    })
}

fn write_holder(file: &mut File, holder: LockHolder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{} {}\n", process::id(), holder.word()).as_bytes())
}

fn describe(holder: Option<Holder>) -> String {
    holder.map_or_else(
        || "another process".to_owned(),
        |Holder { pid, .. }| format!("another streamtally command (pid {pid})"),
    )
}

/// The process that holds the lock, according to the file.
#[derive(Debug, PartialEq, Eq)]
struct Holder {
    pid: i32,
    holder: LockHolder,
}

impl Holder {
    /// The holder named in the file, if its process lives. After the lock is taken, the file briefly names the previous
    /// holder, whose process has ended.
    fn read(path: &Path) -> Option<Self> {
        let holder: Self = fs::read_to_string(path).ok()?.parse().ok()?;
        let pid = Pid::from_raw(holder.pid)?;
        let lives = !matches!(rustix::process::test_kill_process(pid), Err(Errno::SRCH));
        lives.then_some(holder)
    }
}

impl FromStr for Holder {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        // The line break marks a completely written line.
        let (pid, word) = line.strip_suffix('\n').and_then(|line| line.split_once(' ')).ok_or(())?;
        let holder =
            [LockHolder::Serve, LockHolder::Command].into_iter().find(|holder| holder.word() == word).ok_or(())?;
        let pid = pid.parse().ok().filter(|pid| *pid > 0).ok_or(())?;
        Ok(Self { pid, holder })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const BRIEF: Patience = Patience { service: Duration::from_millis(100), command: Duration::from_millis(100) };
    const LONG: Patience = Patience { service: Duration::from_mins(1), command: Duration::from_mins(1) };

    fn folder() -> (tempfile::TempDir, DataDirectory) {
        let temp = tempfile::tempdir().unwrap();
        let ourselves = Account::ourselves().unwrap();
        let folder = DataDirectory::prepare(temp.path(), &ourselves).unwrap();
        (temp, folder)
    }

    fn acquire(
        folder: &DataDirectory,
        holder: LockHolder,
        patience: Patience,
    ) -> Result<Acquired<&'static str>, PostgresError> {
        FolderLock::acquire(folder, holder, patience, || Ok(None))
    }

    #[test]
    fn the_file_tells_who_holds_it_and_is_empty_afterwards() {
        let (_temp, folder) = folder();
        let lock = acquire(&folder, LockHolder::Serve, BRIEF).unwrap();
        let pid = process::id().cast_signed();
        assert_eq!(Holder::read(&folder.lock()), Some(Holder { pid, holder: LockHolder::Serve }));
        drop(lock);
        assert_eq!(fs::read_to_string(folder.lock()).unwrap(), "");
    }

    #[test]
    fn a_second_service_fails_at_once_and_names_the_first() {
        let (_temp, folder) = folder();
        let _lock = acquire(&folder, LockHolder::Serve, BRIEF).unwrap();
        let error = acquire(&folder, LockHolder::Serve, LONG).unwrap_err().to_string();
        assert!(error.contains(&process::id().to_string()), "{error}");
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_command_uses_the_server_of_a_service_once_it_is_ready() {
        let (_temp, folder) = folder();
        let _lock = acquire(&folder, LockHolder::Serve, BRIEF).unwrap();
        let mut looks = 0;
        let acquired = FolderLock::acquire(&folder, LockHolder::Command, LONG, || {
            looks += 1;
            Ok((looks == 3).then_some("server"))
        });
        assert!(matches!(acquired, Ok(Acquired::Served("server"))));
    }

    #[test]
    fn a_command_does_not_wait_for_ever_for_a_service() {
        let (_temp, folder) = folder();
        let _lock = acquire(&folder, LockHolder::Serve, BRIEF).unwrap();
        let error = acquire(&folder, LockHolder::Command, BRIEF).unwrap_err();
        assert!(matches!(error, PostgresError::ServiceNotReady { .. }), "{error}");
    }

    #[test]
    fn everybody_waits_for_a_command_to_end() {
        for holder in [LockHolder::Serve, LockHolder::Command] {
            let (_temp, folder) = folder();
            let lock = acquire(&folder, LockHolder::Command, BRIEF).unwrap();
            let error = acquire(&folder, holder, BRIEF).unwrap_err();
            assert!(matches!(error, PostgresError::FolderInUse { .. }), "{error}");
            let waiting = thread::scope(|scope| {
                let waiting = scope.spawn(|| acquire(&folder, holder, LONG));
                drop(lock);
                waiting.join().unwrap()
            });
            assert!(matches!(waiting, Ok(Acquired::Lock(_))));
        }
    }

    #[test]
    fn a_command_takes_over_when_the_service_ends_before_it_was_ready() {
        let (_temp, folder) = folder();
        let mut service = Some(acquire(&folder, LockHolder::Serve, BRIEF).unwrap());
        let acquired = FolderLock::acquire(&folder, LockHolder::Command, LONG, || {
            service.take();
            Ok(None::<()>)
        });
        assert!(matches!(acquired, Ok(Acquired::Lock(_))));
    }

    #[test]
    fn what_a_dead_or_half_written_holder_says_is_not_believed() {
        let (temp, _folder) = folder();
        let path = temp.path().join("said");
        let mut gone = process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let us = process::id();
        for said in
            [format!("{} serve\n", gone.id()), format!("{us} serve"), format!("{us} sing\n"), "-1 serve\n".into()]
        {
            fs::write(&path, &said).unwrap();
            assert_eq!(Holder::read(&path), None, "{said:?}");
        }
    }
}
