//! The service, on a private database of its own, and its API.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

pub const KEY: &str = "lists-lists-lists-lists-lists-32";
const ADMIN_TOKEN: &str = "the-administrators-token-of-a-measurement";

/// Timeout of a start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A running service. When dropped, it is stopped and its folder is removed.
pub struct Service {
    program: PathBuf,
    child: Child,
    pub url: String,
    client: Client,
    folder: TempDir,
}

impl Service {
    /// Starts the service in an empty folder.
    ///
    /// # Errors
    /// It did not become ready.
    pub async fn start(program: PathBuf) -> anyhow::Result<Self> {
        // /tmp, not TMPDIR: a socket's path must be short, and the server's user needs access.
        let folder = tempfile::Builder::new().prefix("streamtally-lists.").tempdir_in("/tmp")?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = spawn(&program, &address, &folder)?;
        let service = Self { program, child, url: format!("http://{address}"), client: Client::new(), folder };
        service.wait_until_ready().await?;
        Ok(service)
    }

    /// Restarts it on the same folder.
    ///
    /// # Errors
    /// It did not become ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.stop();
        self.child = spawn(&self.program, self.url.trim_start_matches("http://"), &self.folder)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let url = format!("{}/readyz", self.url);
        while !self.client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            if begun.elapsed() > START_TIMEOUT {
                bail!("the service did not become ready");
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn stop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let _ = self.child.wait();
    }

    /// Sends a request of the administrator.
    ///
    /// # Errors
    /// It was not successful.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(ADMIN_TOKEN);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{path}: {status} {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }

    /// All rows of a list. `path` has a query.
    ///
    /// # Errors
    /// A request was not successful.
    pub async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.ask(Method::GET, &format!("{path}&limit=500{cursor}"), None).await?;
            rows.extend(page.get("data").and_then(Value::as_array).context("a list has rows")?.iter().cloned());
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(rows),
            }
        }
    }

    /// Registers a domain that is polled so, with the account of this id.
    ///
    /// # Errors
    /// The service rejects it.
    pub async fn add_domain(&self, domain: &str, mode: &str, account: &Value) -> anyhow::Result<()> {
        let path = format!("/v1/domains/{domain}");
        let settings = json!({ "poll_mode": mode, "provider_account": account });
        self.ask(Method::PUT, &path, Some(&settings)).await?;
        self.ask(Method::POST, &format!("{path}/keys"), Some(&json!({ "key": KEY }))).await?;
        Ok(())
    }

    /// Sends a callback.
    ///
    /// # Errors
    /// It was not answered 200.
    pub async fn send(&self, body: String) -> anyhow::Result<()> {
        self.client.post(format!("{}/callbacks/huawei", self.url)).body(body).send().await?.error_for_status()?;
        Ok(())
    }
}

fn spawn(program: &PathBuf, address: &str, folder: &TempDir) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    command.args(["serve", "--log", "warn", "--listen", address, "--data-dir"]).arg(folder.path());
    command.args(["--poll-allow-http", "--webhook-allow-networks", "127.0.0.0/8"]);
    command.env_remove("DATABASE_URL").env("STREAMTALLY_ADMIN_TOKEN", ADMIN_TOKEN).stdout(Stdio::null());
    command.spawn().with_context(|| format!("{} does not start", program.display()))
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}
