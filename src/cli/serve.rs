//! `serve`: runs the service.

use std::convert::Infallible;
use std::fmt::Arguments;
use std::io::{self, IsTerminal, stdout};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context;
use clap::Args;
use private_postgres::{LockHolder, PrivatePostgres};
use sd_notify::NotifyState;
use secrecy::{ExposeSecret, SecretString};
use tokio::signal::unix::{SignalKind, signal};

use super::database::{self, Secrets};
use super::output::say;
use super::progress;
use crate::app::state::AppState;
use crate::config::{self, InstallationOptions, ServeOptions};
use crate::demo::{self, Demo};
use crate::platform::data_dir::DataDir;
use crate::platform::open_files;
use crate::service::{AppDependencies, Application};
use crate::telemetry::{self, traces::Traces};

/// How often the private database is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Pause after a failed restart.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Run the service
///
/// Receives callbacks, folds them into sessions, and serves the API and the dashboard. On SIGTERM or Ctrl-C it finishes open
/// requests, writes queued callbacks, and exits. The first start creates the administrator's token and prints it once. Without
/// --database-url it runs a private PostgreSQL in the data folder.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    serve: ServeOptions,
    /// Run a demo: simulated streams with a history since the beginning of last month, in a separate data folder
    #[arg(long, conflicts_with_all = ["database_url", "read_database_url", "roles", "tls_cert", "tls_key"])]
    demo: bool,
}

const EXAMPLES: &str = "\
Examples:
  streamtally serve           on http://127.0.0.1:8080, with a private PostgreSQL
  streamtally serve --demo    simulated streams, in a separate data folder
  streamtally serve --config /etc/streamtally.toml
  streamtally serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem

Exit status: 0 after a requested stop, 1 if the service could not start or a part of it failed. Log
lines go to standard error.";

impl ServeCommand {
    /// # Errors
    /// The service could not start, or a part of it failed.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let traces = self.serve.otlp_endpoint.as_ref().map(Traces::open).transpose()?;
        telemetry::start_logging(self.serve.log_format, &self.serve.log, traces.as_ref())?;
        let ended = Box::pin(self.serve()).await;
        if let Some(traces) = traces {
            traces.close().await;
        }
        ended
    }

    async fn serve(self) -> anyhow::Result<()> {
        let metrics = telemetry::start_metrics()?;
        open_files::raise_limit();
        // Nobody opens that many connections to a demo.
        if !self.demo {
            open_files::check_limit(self.serve.limits.max_connections);
        }
        let data_dir = self.find_data_dir()?;
        // With the same privileges as for a reload, and before a database is started.
        let certificate = self.serve.certificate()?;
        self.serve.retention_rules()?;
        let known = (config::master_keys(&data_dir)?, config::admin_token(&data_dir)?);
        let mut database = database::open(&self.installation, &data_dir, LockHolder::Serve)?;
        let served = async {
            let Secrets { master_keys, admin_token, new_admin_token } =
                database::find_or_make_secrets(&database.options, &data_dir, known).await?;
            if new_admin_token {
                show_admin_token(&admin_token, &data_dir.path().join(config::ADMIN_TOKEN_FILE));
            }
            let read_database = self
                .serve
                .read_database_url
                .as_ref()
                .map(|url| database::parse(url, "--read-database-url"))
                .transpose()?;
            let ingredients = AppDependencies {
                data_dir: data_dir.path().to_owned(),
                database: database.options.clone(),
                read_database,
                master_keys,
                admin_token: admin_token.clone(),
                certificate,
                metrics,
            };
            let application = match Application::build(&self.serve, ingredients).await {
                Ok(application) => application,
                // If the database is unreachable, its own error is more helpful.
                Err(error) => return Err(database::try_connecting(&database.options).await.err().unwrap_or(error)),
            };
            let address = application.address();
            let scheme = application.scheme();
            // Before "listening" is logged: a signal that arrives while its handler is being installed is lost.
            let stop = stop_signal()?;
            tracing::info!(%address, scheme, "listening");
            notify_systemd(NotifyState::Ready);
            let demo = self.demo.then(|| Box::pin(demonstrate(application.state(), address, admin_token)));
            let running = application.run_until_stopped(stop);
            Box::pin(run_and_supervise(running, database.private.as_mut(), demo)).await
        }
        .await;
        if let Some(private) = database.private {
            private.stop().context("failed to stop the private database")?;
        }
        served
    }

    fn find_data_dir(&self) -> anyhow::Result<DataDir> {
        let named = self.installation.folders.data_dir.as_deref();
        if self.demo {
            return Ok(demo::find_folder(named)?);
        }
        let data_dir = DataDir::find(named)?;
        demo::reject_folder_of_demo(&data_dir)?;
        Ok(data_dir)
    }
}

/// Only a person at a terminal sees the token: all else that reads the output may keep it, like the logs of a container.
fn show_admin_token(token: &SecretString, file: &Path) {
    if stdout().is_terminal() {
        print(format_args!("The administrator's token, shown only once and stored in {}:", file.display()));
        print(format_args!("{}", token.expose_secret()));
    } else {
        print(format_args!("The administrator's token was created; it is in {}", file.display()));
    }
}

/// Prints a line. Ignores a broken pipe: the service keeps running.
fn print(words: Arguments<'_>) {
    let _ = say!("{words}");
}

async fn demonstrate(state: Data<AppState>, address: SocketAddr, admin_token: SecretString) {
    print(format_args!("Creating the history of the demo ..."));
    let bar = progress::bar(Some(0), "callbacks");
    let shown = |taken, of| {
        bar.set_length(of);
        bar.set_position(taken);
    };
    let prepared = Demo::prepare(&state, shown).await;
    bar.finish_and_clear();
    match prepared {
        Ok(demo) => {
            print(format_args!("The dashboard of the demo, signed in as its administrator:"));
            print(format_args!("http://{address}/dashboard/sign-in#token={}", admin_token.expose_secret()));
            demo.run(address).await;
        }
        Err(error) => tracing::error!("the demo stopped: {error:#}"),
    }
}

/// Completes on SIGTERM or SIGINT.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify_systemd(NotifyState::Stopping);
    })
}

/// Runs the application. Meanwhile, restarts the private database if it dies, and runs the demo.
async fn run_and_supervise(
    running: impl Future<Output = anyhow::Result<()>>,
    private: Option<&mut PrivatePostgres>,
    demo: Option<impl Future<Output = ()>>,
) -> anyhow::Result<()> {
    let demo = async {
        if let Some(demo) = demo {
            demo.await;
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        ended = running => ended,
        never = supervise(private) => match never {},
        never = demo => match never {},
    }
}

/// Notifies systemd if the service runs under it.
fn notify_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "could not notify systemd; nothing to do unless systemd ends the service because of it"
        );
    }
}

/// Restarts the private database if it was killed.
async fn supervise(private: Option<&mut PrivatePostgres>) -> Infallible {
    let Some(private) = private else { return std::future::pending().await };
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        match private.restart_if_dead() {
            Ok(_) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    error,
                    "the private database cannot be restarted; retrying: callbacks go to the spool; see postgres.log \
                     in the data folder"
                );
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}
