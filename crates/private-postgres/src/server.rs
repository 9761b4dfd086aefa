//! A running server: waits until it is ready, and stops it.

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{child::Kept, error::PostgresError, log::ServerLog, pid_file::PidFile, process, wait};

/// A start after a crash may take long, but reports its progress every 10 s. This is the longest time without any.
const START_SILENCE: Duration = Duration::from_mins(1);
/// Timeout of a fast stop (SIGINT): open transactions are rolled back, and a checkpoint is written.
pub(super) const FAST_STOP: Duration = Duration::from_secs(30);
/// Timeout of an immediate stop (SIGQUIT), after which the server kills its children within 5 s.
pub(super) const IMMEDIATE_STOP: Duration = Duration::from_secs(10);
/// The timeout of each when a server is dropped.
const DROPPED_STOP: Duration = Duration::from_secs(5);

/// A server that this process started. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Server {
    kept: Kept,
}

impl Server {
    /// Starts the server and waits until it accepts connections.
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

    /// The exit status, if the server has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        // An error means that other code has already waited for this child, so it has ended.
        self.kept.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::from_raw(0)))
    }

    /// Stops the server with a fast stop, or else immediately.
    pub(super) fn stop(mut self, pgdata: &Path) -> Result<(), PostgresError> {
        if self.stop_within(FAST_STOP, IMMEDIATE_STOP) {
            return Ok(());
        }
        Err(PostgresError::WillNotStop { pid: self.pid(), pgdata: pgdata.to_path_buf() })
    }

    fn stop_within(&mut self, fast: Duration, immediate: Duration) -> bool {
        let pid = self.pid();
        for (signal, limit) in [(Signal::INT, fast), (Signal::QUIT, immediate)] {
            // The child keeps its pid until it is waited for, so the signal cannot reach another process.
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
