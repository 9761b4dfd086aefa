//! `health`: whether the service on this machine can do its work, for what watches it from beside: the engine of its
//! container, a script. Asks `/readyz` where the service listens by the same settings.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Client, redirect};
use serde_json::Value;

use super::BadUsage;
use super::output::say;
use crate::config::ListenOptions;

/// How long the answer may take: longer than the service waits for its database, and less than watchers' patience, so that
/// they hear why.
const PATIENCE: Duration = Duration::from_secs(4);

const EXAMPLES: &str = "\
Examples:
  streamtally health                               where the service listens by default
  streamtally health --listen 0.0.0.0:9000         where it listens by its settings

Exits with 0 when every part can do its work, with 1 when one cannot, with 2 on bad usage.";

/// Tell whether the service on this machine can do its work, by the exit status too: for what watches it
///
/// It asks `/readyz` where the service listens by the same flags, environment and settings file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HealthCommand {
    /// TOML file with the service's settings
    #[arg(long, env = "STREAMTALLY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    listening: ListenOptions,
}

impl HealthCommand {
    /// Prints how each part of the service is.
    ///
    /// # Errors
    /// When a part cannot do its work, or nothing answers, or something else than the service.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.listening.listen.port() == 0 {
            return Err(BadUsage("--listen must name the port that the service listens on".to_owned()).into());
        }
        let url = self.listening.local_url() + "/readyz";
        // A certificate names the host by which others know it, not this way to it; and nothing secret is sent.
        let client = Client::builder().tls_danger_accept_invalid_certs(true).no_proxy();
        let client = client.redirect(redirect::Policy::none()).timeout(PATIENCE).build()?;
        let answer = client.get(&url).send().await.map_err(reqwest::Error::without_url);
        let answer = answer.with_context(|| format!("{url} does not answer"))?;
        let status = answer.status();
        let body = answer.json::<Value>().await.unwrap_or_default();
        let parts =
            describe_parts(&body).with_context(|| format!("{url} answers {status}, and not as streamtally does"))?;
        if !status.is_success() {
            bail!("the service is not ready\n{parts}");
        }
        Ok(say!("the service is ready\n{parts}")?)
    }
}

/// A line for each part; `None` when this is no answer of `/readyz`.
fn describe_parts(body: &Value) -> Option<String> {
    let describe = |part: &Value| {
        let [name, state] = ["name", "state"].map(|member| part.get(member)?.as_str());
        Some(format!("{}: {}", name?, state?))
    };
    let lines: Option<Vec<String>> = body.get("parts")?.as_array()?.iter().map(describe).collect();
    Some(lines?.join("\n"))
}
