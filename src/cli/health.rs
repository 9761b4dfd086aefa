//! `health`: readiness of the service on this machine, for container engines and scripts. Requests `/readyz`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Client, redirect};
use serde_json::Value;

use super::BadUsage;
use super::output::say;
use crate::config::ListenOptions;

/// Longer than the service waits for its database, and shorter than the usual timeouts of health checks, so that they get the
/// reason.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(4);

const EXAMPLES: &str = "\
Examples:
  streamtally health                               the default address
  streamtally health --listen 0.0.0.0:9000         the address that the service listens on

Exit status: 0 if every part is ready, 1 if not, 2 on bad usage.";

/// Check the readiness of the service on this machine; the exit status shows the result
///
/// Requests `/readyz` at the address on which `serve` listens when `serve` is given the same flags, environment and
/// settings file as this command.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HealthCommand {
    /// TOML file with the settings of the service
    #[arg(long, env = "STREAMTALLY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    listening: ListenOptions,
}

impl HealthCommand {
    /// # Errors
    /// A part is not ready, or the service is unreachable.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.listening.listen.port() == 0 {
            return Err(BadUsage("--listen must have the port that the service listens on".to_owned()).into());
        }
        let url = self.listening.local_url() + "/readyz";
        // The certificate is for the public name, not for this address; the request contains no secret.
        let client = Client::builder().tls_danger_accept_invalid_certs(true).no_proxy();
        let client = client.redirect(redirect::Policy::none()).timeout(RESPONSE_TIMEOUT).build()?;
        let answer = client.get(&url).send().await.map_err(reqwest::Error::without_url);
        let answer = answer.with_context(|| format!("{url} is unreachable"))?;
        let status = answer.status();
        let body = answer.json::<Value>().await.unwrap_or_default();
        let parts =
            describe_parts(&body).with_context(|| format!("{url} answered {status}, but not as streamtally does"))?;
        if !status.is_success() {
            bail!("the service is not ready\n{parts}");
        }
        Ok(say!("the service is ready\n{parts}")?)
    }
}

/// One line per part; `None` if the body is not from `/readyz`.
fn describe_parts(body: &Value) -> Option<String> {
    let describe = |part: &Value| {
        let [name, state] = ["name", "state"].map(|member| part.get(member)?.as_str());
        Some(format!("{}: {}", name?, state?))
    };
    let lines: Option<Vec<String>> = body.get("parts")?.as_array()?.iter().map(describe).collect();
    Some(lines?.join("\n"))
}
