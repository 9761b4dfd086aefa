//! One running server: until it is ready, while it runs, and how it is stopped.

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{child::Kept, error::PostgresError, log::ServerLog, pid_file::PidFile, process, wait};

/// A start may take long after a crash, but then it reports its progress every 10 s. This long
/// without any is too long.
const START_SILENCE: Duration = Duration::from_mins(1);
/// For a fast stop (SIGINT): open transactions are rolled back, and a checkpoint is written.
pub(super) const FAST_STOP: Duration = Duration::from_secs(30);
/// For an immediate stop (SIGQUIT), after which the server kills its children in 5 s.
pub(super) const IMMEDIATE_STOP: Duration = Duration::from_secs(10);
/// What a server that was dropped may take of each.
const DROPPED_STOP: Duration = Duration::from_secs(5);

/// A server that we started. Dropped, it is stopped.
#[derive(Debug)]
pub(super) struct Server {
    kept: Kept,
}

impl Server {
    /// Starts the server and waits until it takes connections.
    pub(super) fn start(mut command: Command, pgdata: &Path, log: &ServerLog) -> Result<Self, PostgresError> {
        command.stdout(log.stdio()?).stderr(log.stdio()?);
        let program = command.get_program().to_owned();
        let kept = Kept::start(command).map_err(|source| PostgresError::Run { program: program.into(), source })?;
        let mut server = Self { kept };
        server.wait_ready(pgdata, log)?;
        Ok(server)
    }

    fn wait_ready(&mut self, pgdata: &Path, log: &ServerLog) -> Result<(), PostgresError> {
        let pid = self.pid();
        let mut news = (log.length(), Instant::now());
        loop {
            if let Some(status) = self.ended() {
                let (log, tail) = (log.path().to_path_buf(), log.tail());
                return Err(PostgresError::EndedDuringStart { status, log, tail });
            }
            if PidFile::read(pgdata)?.is_some_and(|file| file.pid == pid && file.ready) {
                return Ok(());
            }
            if log.length() != news.0 {
                news = (log.length(), Instant::now());
            } else if news.1.elapsed() >= START_SILENCE {
                let (log, tail) = (log.path().to_path_buf(), log.tail());
                return Err(PostgresError::NotReady { waited_seconds: START_SILENCE.as_secs(), log, tail });
            }
            wait::pause();
        }
    }

    pub(super) fn pid(&self) -> i32 {
        self.kept.child.id().cast_signed()
    }

    /// How the server ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        // That our own child cannot be asked for (somebody else waited for it) means that it is
        // gone.
        self.kept.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::from_raw(0)))
    }

    /// Stops the server in good order, or else at once.
    pub(super) fn stop(mut self, pgdata: &Path) -> Result<(), PostgresError> {
        if self.stop_within(FAST_STOP, IMMEDIATE_STOP) {
            return Ok(());
        }
        Err(PostgresError::WillNotStop { pid: self.pid(), pgdata: pgdata.to_path_buf() })
    }

    fn stop_within(&mut self, fast: Duration, immediate: Duration) -> bool {
        let pid = self.pid();
        for (signal, limit) in [(Signal::INT, fast), (Signal::QUIT, immediate)] {
            // Not waited for yet, the child keeps its pid, so the signal cannot meet another
            // process.
            if self.ended().is_none() {
                tracing::debug!(pid, ?signal, "stopping PostgreSQL");
                process::signal(pid, signal);
            }
            if wait::until(limit, || self.ended().is_some()) {
                return true;
            }
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.ended().is_none() && !self.stop_within(DROPPED_STOP, DROPPED_STOP) {
            tracing::warn!(
                pid = self.pid(),
                "PostgreSQL does not stop: stop it before you use this data folder \
                                              again"
            );
        }
    }
}
