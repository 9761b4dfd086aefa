//! Sends queries to the service with one and with several clients, and prints the response times.

use std::fmt::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use private_postgres::{LockHolder, Options, PrivatePostgres};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use streamtally::config::ADMIN_TOKEN_FILE;
use streamtally::platform::data_dir::DataDir;
use tokio::task::JoinSet;

use super::queries::{Question, Samples};
use super::reports;
use super::seed::options_of;

/// Numbers of concurrent clients.
const CROWDS: [usize; 2] = [1, 16];

/// A measurement ends after this many responses, per number of clients, or after this time.
const ENOUGH: [usize; 2] = [200, 800];
const LONG_ENOUGH: Duration = Duration::from_millis(1_500);

/// A running service. Stops when dropped.
pub(super) struct Service {
    child: Child,
    address: String,
    client: Client,
    token: String,
}

/// Measures the queries whose name contains `only`, and prints a table.
///
/// # Errors
/// The service is unreachable or does not answer 200.
pub(super) async fn measure(folder: &Path, only: &str) -> anyhow::Result<()> {
    let service = Arc::new(Service::start(folder).await?);
    let private = PrivatePostgres::open(&Options {
        data_dir: folder.to_owned(),
        bin: None,
        holder: LockHolder::Command,
        parameters: Vec::new(),
    })?;
    let mut connection = PgConnection::connect_with(&options_of(&private)).await?;
    let samples = Samples::find(&mut connection).await?;
    eprintln!("{} entries are in the log", samples.events());
    if only.is_empty() || only == "reports" {
        reports::measure(&service, &mut connection).await?;
        println!();
    }
    connection.close().await?;
    println!("| query | p50 | p99 | p50 of 16 | p99 of 16 |");
    println!("|---|---:|---:|---:|---:|");
    for question in samples.questions().into_iter().filter(|question| question.name.contains(only)) {
        let paths = Arc::new(service.turn_pages(&question).await.with_context(|| question.name.clone())?);
        let mut cells = String::new();
        for (clients, enough) in CROWDS.into_iter().zip(ENOUGH) {
            match service.ask(&paths, clients, enough).await {
                Ok(times) => {
                    let _ = write!(cells, " {} | {} |", in_milliseconds(&times, 50), in_milliseconds(&times, 99));
                }
                Err(error) => {
                    eprintln!("{}: {error:#}", question.name);
                    cells.push_str(" failed | |");
                }
            }
        }
        println!("| {} |{cells}", question.name);
    }
    Ok(())
}

impl Service {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_streamtally"))
            .args(["serve", "--log", "warn", "--listen", &address, "--data-dir"])
            .arg(folder)
            .env_remove("DATABASE_URL")
            .spawn()?;
        let token =
            DataDir::find(Some(folder))?.read_secret(ADMIN_TOKEN_FILE)?.context("the installation has a token")?;
        let token = token.expose_secret().to_owned();
        let service = Self { child, address, client: Client::new(), token };
        let begun = Instant::now();
        while service.get("/readyz").await.is_err() {
            if begun.elapsed() > Duration::from_mins(1) {
                bail!("the service did not become ready");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(service)
    }

    /// # Errors
    /// The response is not 2xx.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let url = format!("http://{}{path}", self.address);
        let answer = self.client.get(url).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body.into())
    }

    /// The paths of a query, or that of a later page.
    async fn turn_pages(&self, question: &Question) -> anyhow::Result<Vec<String>> {
        let Some(first) = question.paths.first() else { bail!("the query has no path") };
        if question.turn == 0 {
            return Ok(question.paths.clone());
        }
        let mut path = first.clone();
        for _ in 0..question.turn {
            let page: Value = serde_json::from_slice(&self.get(&path).await?)?;
            let Some(cursor) = page.get("next_cursor").and_then(Value::as_str) else { break };
            path = format!("{first}&cursor={cursor}");
        }
        Ok(vec![path])
    }

    /// Sends the paths in turn with this many clients. Returns the response times, sorted.
    async fn ask(
        self: &Arc<Self>,
        paths: &Arc<Vec<String>>,
        clients: usize,
        enough: usize,
    ) -> anyhow::Result<Vec<Duration>> {
        let until = Instant::now() + LONG_ENOUGH;
        let turn = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let (service, paths, turn) = (Arc::clone(self), Arc::clone(paths), Arc::clone(&turn));
            tasks.spawn(async move {
                let mut times = Vec::new();
                while Instant::now() < until || times.is_empty() {
                    let number = turn.fetch_add(1, Ordering::Relaxed);
                    if number >= enough {
                        break;
                    }
                    let Some(path) = paths.get(number % paths.len()) else { break };
                    let begun = Instant::now();
                    service.get(path).await?;
                    times.push(begun.elapsed());
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            times.extend(done??);
        }
        times.sort_unstable();
        Ok(times)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// A percentile of the response times, in milliseconds.
fn in_milliseconds(sorted: &[Duration], percent: usize) -> String {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1_000.0))
}
