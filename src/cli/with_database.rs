//! `database`: another program on the private database, such as `psql` or `pg_dump`.

use std::ffi::OsString;
use std::process::ExitStatus;

use anyhow::{Context, bail};
use clap::Args;
use private_postgres::{LockHolder, PrivatePostgres};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::BadUsage;
use super::database;
use crate::config::InstallationOptions;
use crate::platform::data_dir::DataDir;
use crate::platform::privileges::RootPrivileges;

/// What would lead a program to another database, whatever the others say.
const ELSEWHERE: [&str; 5] = ["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGPASSWORD"];

/// The program failed; its exit status is ours.
#[derive(Debug, thiserror::Error)]
#[error("{program} ended with {status}")]
pub struct ProgramFailed {
    program: String,
    status: ExitStatus,
}

impl ProgramFailed {
    /// Its exit status, 1 when a signal ended it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}

/// Run a program on the private database, such as psql or pg_dump
///
/// PGHOST, PGPORT, PGUSER and PGDATABASE tell the program where the database is, whether the service runs or not; the
/// service cannot be started while the program runs, though. In a data folder that holds none yet, an empty database is made,
/// to restore into. A database that DATABASE_URL names needs no help:
/// `psql "$DATABASE_URL"`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DatabaseCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  streamtally database psql
  streamtally database pg_dump --format custom --file backup.dump
  streamtally database pg_restore --dbname streamtally --exit-on-error backup.dump

Exits as the program does, with 1 when it could not be run.";

impl DatabaseCommand {
    /// Runs the program to its end.
    ///
    /// # Errors
    /// When the database cannot be started, or the program cannot be run, or fails.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.installation.database_url.is_some() {
            bail!(BadUsage("the database is the one that DATABASE_URL names: give that to the program".to_owned()));
        }
        let (data_dir, root) = DataDir::find_keeping_root(self.installation.data_dir.as_deref())?;
        let private = database::open(&self.installation, &data_dir, LockHolder::Command)?.private;
        let private = private.context("there is no private database")?;
        let ended = self.run_program(&private, root.as_ref()).await;
        let stopped = private.stop().context("the private database did not stop");
        let status = ended?;
        stopped?;
        if status.success() { Ok(()) } else { Err(ProgramFailed { program: self.name(), status }.into()) }
    }

    async fn run_program(
        &self,
        private: &PrivatePostgres,
        root: Option<&RootPrivileges>,
    ) -> anyhow::Result<ExitStatus> {
        // What a terminal's user interrupts is the program, which may go on (psql does); the server is put away after it.
        let _interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let [program, arguments @ ..] = self.program.as_slice() else { bail!("no program is named") };
        let mut command = Command::new(program);
        for elsewhere in ELSEWHERE {
            command.env_remove(elsewhere);
        }
        command
            .args(arguments)
            .env("PGHOST", private.socket_dir())
            .env("PGPORT", private.port().to_string())
            .env("PGUSER", private.user())
            .env("PGDATABASE", private.database());
        // The program runs as the user who runs the command, and writes files where that user may.
        let child = match root {
            Some(root) => root.regain_for(|| command.spawn())?,
            None => command.spawn(),
        };
        let mut child = child.with_context(|| {
            format!("{} cannot be run; psql and its like are PostgreSQL's client programs", self.name())
        })?;
        loop {
            tokio::select! {
                status = child.wait() => return Ok(status?),
                _ = terminate.recv() => {
                    // It is told, too, and ends as it sees fit.
                    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
                    let kill = || pid.map_or(Ok(()), |pid| kill_process(pid, Signal::TERM));
                    root.map_or_else(|| Ok(kill()), |root| root.regain_for(kill))??;
                }
            }
        }
    }

    fn name(&self) -> String {
        self.program.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
