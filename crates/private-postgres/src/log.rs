//! `postgres.log`: the server's output. This process opens the file, and the server inherits it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
};

use super::{
    error::PostgresError,
    folder::{DataDirectory, open_file},
};

/// Above this size, a start rotates the log.
const FULL_BYTES: u64 = 16 << 20;
/// How much of a start's log an error quotes.
const QUOTED_BYTES: u64 = 8 << 10;
const QUOTED_LINES: usize = 20;

/// The log, with the offset at which a start of the server began.
#[derive(Debug)]
pub(super) struct ServerLog {
    path: PathBuf,
    file: File,
    start: u64,
}

impl ServerLog {
    /// Opens the log at its end, after rotating a large one to `postgres.log.1`.
    pub(super) fn open(folder: &DataDirectory) -> Result<Self, PostgresError> {
        let path = folder.log();
        let open = || -> io::Result<(File, u64)> {
            if fs::symlink_metadata(&path).is_ok_and(|log| log.len() > FULL_BYTES) {
                fs::rename(&path, path.with_extension("log.1"))?;
            }
            let file = open_file(&path, 0o600, OpenOptions::new().read(true).append(true))?;
            let start = file.metadata()?.len();
            Ok((file, start))
        };
        let (file, start) = open().map_err(PostgresError::io("open", &path))?;
        Ok(Self { path, file, start })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A handle for the server to write to.
    pub(super) fn stdio(&self) -> Result<Stdio, PostgresError> {
        self.file.try_clone().map(Stdio::from).map_err(PostgresError::io("duplicate the handle of", &self.path))
    }

    /// Grows with the server's output.
    pub(super) fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// The last lines of this start.
    pub(super) fn tail(&self) -> String {
        let from = self.start.max(self.length().saturating_sub(QUOTED_BYTES));
        let mut content = Vec::new();
        let mut file = &self.file;
        match file.seek(SeekFrom::Start(from)).and_then(|_| file.take(QUOTED_BYTES).read_to_end(&mut content)) {
            Ok(_) => last_lines(&content),
            Err(error) => format!("(unreadable: {error})"),
        }
    }
}

/// The last lines of a program's output, for an error.
pub(super) fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let skipped = lines.len().saturating_sub(QUOTED_LINES);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{super::account::Account, *};

    #[test]
    fn the_tail_is_of_this_start_only() {
        let temp = tempfile::tempdir().unwrap();
        let folder = DataDirectory::prepare(temp.path(), &Account::ourselves().unwrap()).unwrap();
        fs::write(folder.log(), "before\n").unwrap();
        let mut log = ServerLog::open(&folder).unwrap();
        assert_eq!((log.length(), log.tail()), (7, String::new()));
        log.file.write_all(b"after\n").unwrap();
        assert_eq!((log.length(), log.tail()), (13, "after".to_owned()));
    }

    #[test]
    fn a_full_log_is_put_aside_once() {
        let temp = tempfile::tempdir().unwrap();
        let folder = DataDirectory::prepare(temp.path(), &Account::ourselves().unwrap()).unwrap();
        for round in 0..2 {
            let file = File::create(folder.log()).unwrap();
            file.set_len(FULL_BYTES + 1 + round).unwrap();
            assert_eq!(ServerLog::open(&folder).unwrap().length(), 0);
            let aside = fs::metadata(temp.path().join("postgres.log.1")).unwrap();
            assert_eq!(aside.len(), FULL_BYTES + 1 + round);
        }
        File::create(folder.log()).unwrap().set_len(FULL_BYTES).unwrap();
        assert_eq!(ServerLog::open(&folder).unwrap().length(), FULL_BYTES);
    }

    #[test]
    fn long_output_is_cut_to_its_last_lines() {
        let lines: Vec<String> = (0..100).map(|line| format!("line {line}\n")).collect();
        let output = lines.concat();
        let quoted = last_lines(output.as_bytes());
        assert_eq!(quoted.lines().count(), QUOTED_LINES);
        assert!(quoted.starts_with("line 80\n") && quoted.ends_with("line 99"), "{quoted}");
    }
}
