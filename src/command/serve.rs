//! `serve`: the service.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use secrecy::ExposeSecret;
use tokio::signal::unix::{SignalKind, signal};

use super::database;
use crate::app::{Application, Ingredients};
use crate::config::{self, InstallationOptions, ServeOptions};
use crate::data_dir::DataDir;
use crate::open_files;
use crate::postgres::{PrivatePostgres, Purpose};
use crate::telemetry;

/// How often the private database is looked after.
const LOOK_AFTER: Duration = Duration::from_millis(250);

/// How long to wait before it is started again after that failed.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Options of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    serve: ServeOptions,
}

impl ServeCommand {
    /// Serves until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// When the service cannot be started, or a part of it failed.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        telemetry::start_logging(self.serve.log_format, &self.serve.log)?;
        let metrics = telemetry::start_metrics()?;
        open_files::raise_limit(self.serve.max_connections);
        let certificate = self.serve.certificate()?;
        // Said before a database is started.
        self.serve.retention_rules()?;
        let data_dir = DataDir::find(self.installation.data_dir.as_deref())?;
        let mut database = database::open(&self.installation, &data_dir, Purpose::Serve)?;
        let served = async {
            let (admin_token, is_new) = config::admin_token(&data_dir)?;
            if is_new {
                let file = data_dir.path().join(config::ADMIN_TOKEN_FILE);
                println!("The administrator's API token, shown this once and kept in {}:", file.display());
                println!("{}", admin_token.expose_secret());
            }
            let master_key = config::master_key(&data_dir)?;
            let read_database = self
                .serve
                .read_database_url
                .as_ref()
                .map(|url| database::parse(url, "--read-database-url"))
                .transpose()?;
            let ingredients = Ingredients {
                data_dir: data_dir.path().to_owned(),
                database: database.options.clone(),
                read_database,
                master_key,
                admin_token,
                certificate,
                metrics,
            };
            let application = Application::build(&self.serve, ingredients).await?;
            let (address, scheme) = (application.address(), application.scheme());
            tracing::info!(%address, scheme, "listening");
            serve(application, database.private.as_mut()).await
        }
        .await;
        if let Some(private) = database.private {
            private.stop().context("the private database did not stop")?;
        }
        served
    }
}

async fn serve(application: Application, private: Option<&mut PrivatePostgres>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let running = application.run_until_stopped(stop);
    tokio::select! {
        ended = running => ended,
        never = look_after(private) => match never {},
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
                tracing::error!(error, "the private database cannot be started again; trying on");
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
}
