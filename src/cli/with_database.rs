//! `database`: runs a program on the private database, such as `psql` or `pg_dump`.

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

/// Variables that would lead the program to another database.
const REMOVED_VARIABLES: [&str; 5] = ["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGPASSWORD"];

/// The program failed; its exit status becomes ours.
#[derive(Debug, thiserror::Error)]
#[error("{program} ended with {status}")]
pub struct ProgramFailed {
    program: String,
    status: ExitStatus,
}

impl ProgramFailed {
    /// The exit status; 1 after a signal.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}

/// Run a program on the private database, such as psql or pg_dump
///
/// Sets PGHOST, PGPORT, PGUSER and PGDATABASE for the program. Works whether the service runs or not. A service that is not
/// running cannot start until the program ends. In an empty data folder, creates an empty database to restore into. For the
/// database of DATABASE_URL, run `psql "$DATABASE_URL"` instead.
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

Exit status: that of the program; 1 if it could not be run.";

impl DatabaseCommand {
    /// # Errors
    /// The database failed to start, or the program could not be run or failed.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.installation.database_url.is_some() {
            bail!(BadUsage("there is no private database: pass DATABASE_URL to the program".to_owned()));
        }
        let (data_dir, root) = DataDir::find_keeping_root(self.installation.folders.data_dir.as_deref())?;
        let private = database::open(&self.installation, &data_dir, LockHolder::Command)?.private;
        let private = private.context("there is no private database")?;
        let ended = self.run_program(&private, root.as_ref()).await;
        let stopped = private.stop().context("failed to stop the private database");
        let status = ended?;
        stopped?;
        if status.success() { Ok(()) } else { Err(ProgramFailed { program: self.name(), status }.into()) }
    }

    async fn run_program(
        &self,
        private: &PrivatePostgres,
        root: Option<&RootPrivileges>,
    ) -> anyhow::Result<ExitStatus> {
        // Ctrl-C is for the program, which may continue (as psql does); the server stops after it.
        let _interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let [program, arguments @ ..] = self.program.as_slice() else { bail!("no program given") };
        let mut command = Command::new(program);
        for variable in REMOVED_VARIABLES {
            command.env_remove(variable);
        }
        command
            .args(arguments)
            .env("PGHOST", private.socket_dir())
            .env("PGPORT", private.port().to_string())
            .env("PGUSER", private.user())
            .env("PGDATABASE", private.database());
        // The program runs as the user of the command, so that it can write where that user can.
        let child = match root {
            Some(root) => root.regain_for(|| command.spawn())?,
            None => command.spawn(),
        };
        let mut child = child.with_context(|| {
            format!("failed to run {}; psql and pg_dump come with the PostgreSQL client programs", self.name())
        })?;
        loop {
            tokio::select! {
                status = child.wait() => return Ok(status?),
                _ = terminate.recv() => {
                    // Forward the signal; the program decides when to exit.
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
