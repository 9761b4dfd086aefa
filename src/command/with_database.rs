//! `database`: another program on the private database, such as `psql` or `pg_dump`.

use std::ffi::OsString;
use std::process::ExitStatus;

use anyhow::{Context, bail};
use clap::Args;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::BadUsage;
use super::database;
use crate::config::InstallationOptions;
use crate::data_dir::DataDir;
use crate::postgres::{PrivatePostgres, Purpose};

/// Run a program on the private database, such as psql or pg_dump
///
/// PGHOST, PGPORT, PGUSER and PGDATABASE tell the program where the database is, whether the service runs or not. In a data
/// folder that holds none yet, an empty one is made, to restore into. A database that DATABASE_URL names needs no help:
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
  streamtally database pg_restore --dbname streamtally --exit-on-error backup.dump";

impl DatabaseCommand {
    /// Runs the program to its end.
    ///
    /// # Errors
    /// When the database cannot be started, or the program cannot be run, or fails.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.installation.database_url.is_some() {
            bail!(BadUsage("the database is the one that DATABASE_URL names: give that to the program".to_owned()));
        }
        let data_dir = DataDir::find(self.installation.data_dir.as_deref())?;
        let private = database::open(&self.installation, &data_dir, Purpose::Command)?.private;
        let private = private.context("there is no private database")?;
        let ended = self.run_program(&private).await;
        private.stop().context("the private database did not stop")?;
        let (status, program) = (ended?, self.name());
        if status.success() { Ok(()) } else { bail!("{program} ended with {status}") }
    }

    async fn run_program(&self, private: &PrivatePostgres) -> anyhow::Result<ExitStatus> {
        // What a terminal's user interrupts is the program, which may go on (psql does); the server is put away after it.
        let _interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let [program, arguments @ ..] = self.program.as_slice() else { bail!("no program is named") };
        let mut child = Command::new(program)
            .args(arguments)
            .env("PGHOST", private.socket_dir())
            .env("PGPORT", private.port().to_string())
            .env("PGUSER", private.user())
            .env("PGDATABASE", private.database())
            .spawn()
            .with_context(|| {
                format!("{} cannot be run; psql and its like are PostgreSQL's client programs", self.name())
            })?;
        tokio::select! {
            status = child.wait() => Ok(status?),
            _ = terminate.recv() => {
                child.kill().await?;
                bail!("{} was ended", self.name())
            }
        }
    }

    fn name(&self) -> String {
        self.program.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
