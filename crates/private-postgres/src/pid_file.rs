//! `postmaster.pid`, in which a server reports its pid, socket and status.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::error::PostgresError;

/// A server's report about itself. The server may have ended, and another process may have its pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: i32,
    pub(super) socket_dir: Option<PathBuf>,
    pub(super) ready: bool,
}

impl PidFile {
    /// Reads the file of a database; `None` if there is no file with a pid.
    pub(super) fn read(pgdata: &Path) -> Result<Option<Self>, PostgresError> {
        let path = path_of(pgdata);
        match fs::read(&path) {
            Ok(content) => Ok(Self::parse(&content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PostgresError::io("read", path)(error)),
        }
    }

    pub(super) fn remove(pgdata: &Path) -> Result<(), PostgresError> {
        let path = path_of(pgdata);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(PostgresError::io("remove the stale", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Lines: pid, data folder, start time, port, socket folder, address, shared memory, status. A server writes them
    /// one after the other, so the last ones may be missing. A single-user server negates its pid.
    fn parse(content: &[u8]) -> Option<Self> {
        let lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
        let line = |index: usize| lines.get(index).copied().unwrap_or_default();
        let pid = str::from_utf8(line(0)).ok()?.trim().parse::<i32>().ok()?.checked_abs()?;
        let socket_dir = Some(line(4)).filter(|line| !line.is_empty());
        Some(Self {
            pid: Some(pid).filter(|pid| *pid > 0)?,
            socket_dir: socket_dir.map(|line| PathBuf::from(OsStr::from_bytes(line))),
            ready: line(7).trim_ascii() == b"ready",
        })
    }
}

fn path_of(pgdata: &Path) -> PathBuf {
    pgdata.join("postmaster.pid")
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &[u8] = b"4711\n/data/postgres\n1700000000\n5432\n/data/socket\n\n  1048641         3\nready   \n";

    #[test]
    fn a_ready_server_is_known_by_its_eighth_line() {
        let expected = PidFile { pid: 4711, socket_dir: Some(PathBuf::from("/data/socket")), ready: true };
        assert_eq!(PidFile::parse(READY), Some(expected));
    }

    #[test]
    fn no_beginning_of_the_file_passes_for_ready() {
        let whole = READY.len() - "   \n".len();
        for length in 0..whole {
            let parsed = PidFile::parse(READY.get(..length).unwrap());
            assert!(parsed.is_none_or(|file| !file.ready), "{length} bytes");
        }
    }

    #[test]
    fn other_states_are_not_ready() {
        for state in ["starting", "stopping", "standby "] {
            let file = String::from_utf8_lossy(READY).replace("ready   ", state);
            assert!(!PidFile::parse(file.as_bytes()).unwrap().ready, "{state}");
        }
    }

    #[test]
    fn a_single_user_server_negates_its_pid() {
        assert_eq!(PidFile::parse(b"-12\n/data/postgres\n").unwrap().pid, 12);
    }

    #[test]
    fn nonsense_is_no_pid() {
        for nonsense in ["", "\n", "0\n", "x\n", "99999999999\n", "-2147483648\n"] {
            assert_eq!(PidFile::parse(nonsense.as_bytes()), None, "{nonsense:?}");
        }
    }
}
