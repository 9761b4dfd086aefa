//! `serve`: the service.

use std::convert::Infallible;
use std::fmt::Arguments;
use std::net::SocketAddr;
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

/// How often the private database is looked after.
const LOOK_AFTER: Duration = Duration::from_millis(250);

/// How long to wait before it is started again after that failed.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Run the service
///
/// Receives callbacks, folds them into sessions, and serves the API and the dashboard, until SIGTERM or Ctrl-C: then it
/// answers what is under way, writes what is queued, and ends. At the first start it makes the administrator's token and
/// prints it once. Without --database-url it runs a PostgreSQL of its own in the data folder.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    serve: ServeOptions,
    /// Show what it is like: made-up streams in a data folder of their own, with two weeks of history
    #[arg(long, conflicts_with_all = ["database_url", "read_database_url", "roles", "tls_cert", "tls_key"])]
    demo: bool,
}

const EXAMPLES: &str = "\
Examples:
  streamtally serve           on http://127.0.0.1:8080, with a private PostgreSQL
  streamtally serve --demo    made-up streams, in a data folder of their own
  streamtally serve --config /etc/streamtally.toml
  streamtally serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem

Exits with 0 when it was told to stop, with 1 when it could not start or a part of it failed.
Log lines go to standard error.";

impl ServeCommand {
    /// Serves until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// When the service cannot be started, or a part of it failed.
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
        open_files::raise_limit(self.serve.limits.max_connections);
        let data_dir = self.find_data_dir()?;
        // With the privileges that renewed certificates are read with, and before a database is started.
        let certificate = self.serve.certificate()?;
        self.serve.retention_rules()?;
        let known = (config::master_keys(&data_dir)?, config::admin_token(&data_dir)?);
        let mut database = database::open(&self.installation, &data_dir, LockHolder::Serve)?;
        let served = async {
            let Secrets { master_keys, admin_token, new_admin_token } =
                database::find_or_make_secrets(&database.options, &data_dir, known).await?;
            if new_admin_token {
                let file = data_dir.path().join(config::ADMIN_TOKEN_FILE);
                tell(format_args!("The administrator's API token, shown this once and kept in {}:", file.display()));
                tell(format_args!("{}", admin_token.expose_secret()));
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
                // Of a database that is away, what keeps us out of it is of more use.
                Err(error) => return Err(database::try_connecting(&database.options).await.err().unwrap_or(error)),
            };
            let (address, scheme) = (application.address(), application.scheme());
            tracing::info!(%address, scheme, "listening");
            tell_systemd(NotifyState::Ready);
            let demo = self.demo.then(|| Box::pin(demonstrate(application.state(), address, admin_token)));
            Box::pin(serve(application, database.private.as_mut(), demo)).await
        }
        .await;
        if let Some(private) = database.private {
            private.stop().context("the private database did not stop")?;
        }
        served
    }

    fn find_data_dir(&self) -> anyhow::Result<DataDir> {
        let named = self.installation.data_dir.as_deref();
        if self.demo {
            return Ok(demo::find_folder(named)?);
        }
        let data_dir = DataDir::find(named)?;
        demo::refuse_folder_of_demo(&data_dir)?;
        Ok(data_dir)
    }
}

/// Prints a line. A service goes on also when nobody reads it.
fn tell(words: Arguments<'_>) {
    let _ = say!("{words}");
}

/// Plays the demo, for as long as it is served.
async fn demonstrate(state: Data<AppState>, address: SocketAddr, admin_token: SecretString) {
    tell(format_args!("Making the demo's history ..."));
    let bar = progress::bar(Some(0), "messages");
    let shown = |taken, of| {
        bar.set_length(of);
        bar.set_position(taken);
    };
    let prepared = Demo::prepare(&state, shown).await;
    bar.finish_and_clear();
    match prepared {
        Ok(demo) => {
            tell(format_args!("The demo's dashboard, signed in as its administrator:"));
            tell(format_args!("http://{address}/dashboard/sign-in#token={}", admin_token.expose_secret()));
            demo.run(address).await;
        }
        Err(error) => tracing::error!("the demo cannot go on: {error:#}"),
    }
}

async fn serve(
    application: Application,
    private: Option<&mut PrivatePostgres>,
    demo: Option<impl Future<Output = ()>>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell_systemd(NotifyState::Stopping);
    };
    let running = application.run_until_stopped(stop);
    let demo = async {
        if let Some(demo) = demo {
            demo.await;
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        ended = running => ended,
        never = look_after(private) => match never {},
        never = demo => match never {},
    }
}

/// Tells systemd how far the service is, where it has asked to be told.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "systemd cannot be told how far the service is; nothing to do unless systemd ends it for that"
        );
    }
}

/// Starts the private database again whenever it was killed.
async fn look_after(private: Option<&mut PrivatePostgres>) -> Infallible {
    let Some(private) = private else { return std::future::pending().await };
    loop {
        tokio::time::sleep(LOOK_AFTER).await;
        match private.restart_if_dead() {
            Ok(_) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    error,
                    "the private database cannot be started again; trying on: what is received waits in the spool; \
                     postgres.log in the data folder says why"
                );
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
}
