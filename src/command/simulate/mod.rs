//! `simulate`: pushes that go as real ones do, sent as fast as they are answered, or at a rate; to see what a service can
//! take.
//!
//! - [`supply`]: the messages, signed ahead.
//! - [`load`]: sending them.
//! - [`outcome`]: what came of it.
//! - [`verify`]: whether everything that was answered 200 is in a session.

mod load;
mod outcome;
mod supply;
mod verify;
mod visibility;

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;
use secrecy::SecretString;
use tokio::task::LocalSet;

use super::database::api_token;
use super::{BadUsage, domain};
use crate::config::{self, InstallationOptions};
use crate::huawei::signature::{Joiner, SigningKey};
use load::Plan;
use outcome::Outcome;
use supply::Supply;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For programs: one object
    Json,
}

/// Messages of made-up pushes of the last 20 hours, as many as are wanted, in the order in which they would come.
///
/// Lengths, breaks, reconnects, late, lost, repeated and inverted messages are as large platforms see them. Streams are
/// named sim-RUN-…; they stay in the history of the domain, so that one is to be taken that is there for that.
#[derive(Debug, Args)]
pub(super) struct SimulateCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Ingest domain; one that nobody is billed for
    #[arg(long)]
    domain: String,
    /// Application
    #[arg(long, default_value = "live")]
    app: String,
    /// Where the service is; plain HTTP
    #[arg(long, env = "STREAMTALLY_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// Read the key from standard input; the domain's newest, from the database, when left out
    #[arg(long)]
    key_stdin: bool,
    /// With --key-stdin: what stands between the signed fields
    #[arg(long, default_value = "", value_parser = ["", "+"], requires = "key_stdin")]
    joiner: String,
    /// Connections that send, each one message at a time
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// Messages a second, whatever the answers take; as fast as they are answered when left out
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How long to send, at most
    #[arg(long, default_value = "10s", value_parser = config::duration, value_name = "DURATION")]
    duration: chrono::TimeDelta,
    /// How many messages to send, at most
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Streams that push; each for half an hour at a time, as a rule
    #[arg(long, default_value = "100000", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    streams: u32,
    /// The same number gives the same pushes
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Afterwards: wait until every message that was answered 200 is in a session; fail if one is missing
    #[arg(long)]
    verify: bool,
    /// Meanwhile: ask the API for some sessions until they are there, and say how long that takes
    #[arg(long)]
    visibility: bool,
    /// API token for --verify and --visibility; the administrator's when unset
    #[arg(long, env = "STREAMTALLY_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// How to print what came of it
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl SimulateCommand {
    /// Sends, and prints what came of it.
    ///
    /// # Errors
    /// When the service cannot be reached, or a message that was answered 200 is missing.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.url.scheme() != "http" {
            return Err(BadUsage("--url must begin with http://".to_owned()).into());
        }
        let duration = self.duration.to_std().map_err(|_| BadUsage("--duration must not be negative".to_owned()))?;
        let (key, joiner) = if self.key_stdin {
            (super::secret_from_stdin()?, Joiner::from_text(&self.joiner).unwrap_or_default())
        } else {
            domain::find_key(&self.installation, &self.domain).await?
        };
        let token =
            (self.verify || self.visibility).then(|| api_token(&self.installation, self.token.as_ref())).transpose()?;
        let supply = Supply::new(&self, SigningKey::new(secrecy::ExposeSecret::expose_secret(&key)), joiner);
        let sim = self;
        let outcome = tokio::task::spawn_blocking(move || {
            // One thread, so that it takes one core at most, and nothing of it is shared between threads.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(LocalSet::new().run_until(sim.send(supply, duration, token)))
        });
        outcome.await?
    }

    async fn send(self, mut supply: Supply, duration: Duration, token: Option<SecretString>) -> anyhow::Result<()> {
        let expected = self.rate.map(|rate| u64::from(rate) * duration.as_secs().max(1));
        let most = self.messages.or(expected);
        supply.sign_ahead(most);
        let prefix = supply.prefix().to_owned();
        let plan = Plan {
            url: self.url.clone(),
            connections: self.connections,
            rate: self.rate,
            duration,
            messages: self.messages,
        };
        let progress = progress_bar(most);
        let visibility = token.clone().filter(|_| self.visibility);
        let outcome = Rc::new(Outcome::default());
        load::send(&plan, supply, visibility, Rc::clone(&outcome), &progress).await?;
        progress.finish_and_clear();
        let verified = match token.filter(|_| self.verify) {
            Some(token) => Some(verify::verify(&self.url, &token, &self.domain, &prefix, &outcome).await?),
            None => None,
        };
        match self.output {
            Output::Table => println!("{}", outcome.table(verified.as_ref())),
            Output::Json => println!("{}", outcome.json(verified.as_ref())),
        }
        if outcome.acknowledged.get() == 0 {
            bail!("no message was answered 200: is the service at {}, and is the key the domain's?", self.url);
        }
        if let Some(verified) = verified.filter(|verified| verified.missing > 0) {
            bail!("{} messages were answered 200 and are in no session", verified.missing);
        }
        Ok(())
    }
}

/// On a terminal alone: indicatif is silent elsewhere.
fn progress_bar(most: Option<u64>) -> ProgressBar {
    let template = "{elapsed} {bar:30} {pos} messages, {per_sec}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    most.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style)
}

/// Host and port of a URL.
fn authority_of(url: &Url) -> anyhow::Result<String> {
    let host = url.host_str().context("--url names no host")?;
    Ok(format!("{host}:{}", url.port_or_known_default().unwrap_or(80)))
}
