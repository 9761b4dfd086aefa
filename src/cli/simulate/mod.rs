//! `simulate`: a load test with realistic simulated pushes.
//!
//! - [`supply`]: the callbacks, signed in advance.
//! - [`load`]: sends them.
//! - [`outcome`]: the results.
//! - [`verify`]: whether every callback that was answered 200 is in a session, or quarantined.

mod load;
mod outcome;
mod supply;
mod verify;
mod visibility;

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Url;
use tokio::task::LocalSet;

use super::BadUsage;
use super::client::Client;
use super::client::problem::origin;
use super::output::{OneOutputOptions, Output, say};
use super::progress;
use super::sender::SenderOptions;
use crate::model::duration;
use load::Plan;
use outcome::LoadReport;
use supply::Supply;

/// Load-test a service with realistic simulated pushes
///
/// Sends callbacks of simulated pushes of the last 20 hours, in order of arrival.
///
/// Durations, gaps, reconnects, and late, lost, repeated and reordered callbacks are distributed as on large platforms. Streams
/// are named sim-RUN-… and stay in the history of the domain: use a separate domain.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SimulateCommand {
    #[command(flatten)]
    sender: SenderOptions,
    /// Number of connections, each with one callback at a time
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// Callbacks per second, independent of response times. Default: as fast as they are answered
    #[arg(long, value_name = "CALLBACKS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Maximum duration
    #[arg(long, default_value = "10s", value_parser = duration::read, value_name = "DURATION")]
    duration: chrono::TimeDelta,
    /// Maximum number of callbacks
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Number of streams; a push typically lasts half an hour
    #[arg(long, default_value = "100000", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    streams: u32,
    /// Make each push one of a new stream, instead of streams that return
    #[arg(long)]
    new_streams: bool,
    /// Seed: the same seed gives the same pushes
    #[arg(long, default_value = "1")]
    seed: u64,
    /// The RUN part of the stream names. With the RUN of an earlier run, the streams of that run are used again. Default:
    /// random
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    run: Option<String>,
    /// Afterwards, wait until every callback that was answered 200 is in a session or quarantined; fail if one is missing
    #[arg(long)]
    verify: bool,
    /// While sending, poll the API for some of the sessions, and measure how long they take to become visible
    #[arg(long)]
    visibility: bool,
    #[command(flatten)]
    output: OneOutputOptions,
}

const EXAMPLES: &str = "\
Examples:
  streamtally simulate --domain load.example.com                             as fast as possible
  streamtally simulate --domain load.example.com --rate 1000 --duration 1m   1,000 per second
  streamtally simulate --domain load.example.com --messages 10000 --verify   is nothing lost?

Exit status: 0 if at least one callback was answered 200 and, with --verify, every such callback is
in a session or quarantined; 1 if not; 2 on bad usage.";

impl SimulateCommand {
    /// # Errors
    /// The service is unreachable, or a callback that was answered 200 is missing.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let url = self.sender.url()?;
        if url.scheme() != "http" {
            let words = "--url must start with http://: the load is sent without TLS; bypass a TLS proxy";
            return Err(BadUsage(words.to_owned()).into());
        }
        let duration = self.duration.to_std().map_err(|_| BadUsage("--duration must not be negative".to_owned()))?;
        let (key, joiner) = self.sender.find_key().await?;
        let client = (self.verify || self.visibility).then(|| self.sender.connect()).transpose()?;
        let supply = Supply::new(&self, key, joiner);
        let sim = self;
        let outcome = tokio::task::spawn_blocking(move || {
            // One thread: uses at most one core and needs no synchronization.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(LocalSet::new().run_until(sim.send(supply, url, duration, client)))
        });
        outcome.await?
    }

    async fn send(
        self,
        mut supply: Supply,
        url: Url,
        duration: Duration,
        client: Option<Client>,
    ) -> anyhow::Result<()> {
        let expected = self.rate.map(|rate| u64::from(rate) * duration.as_secs().max(1));
        let most = self.messages.or(expected);
        supply.sign_ahead(most);
        let prefix = supply.prefix().to_owned();
        let plan = Plan { url, connections: self.connections, rate: self.rate, duration, messages: self.messages };
        let progress = progress::bar(most, "callbacks");
        let client = client.map(Rc::new);
        let visibility = client.clone().filter(|_| self.visibility);
        let outcome = Rc::new(LoadReport::default());
        load::send(&plan, supply, visibility, Rc::clone(&outcome), &progress).await?;
        progress.finish_and_clear();
        let verified = match client.filter(|_| self.verify) {
            Some(client) => Some(verify::verify(&client, &self.sender.domain, &prefix, &outcome).await?),
            None => None,
        };
        match self.output.output {
            Output::Json => say!("{}", outcome.json(verified.as_ref()))?,
            Output::Table | Output::Csv => say!("{}", outcome.table(verified.as_ref()))?,
        }
        if outcome.acknowledged.get() == 0 {
            bail!(
                "no callback was answered 200: check that the service runs at {} and that the key is the domain's",
                origin(&plan.url)
            );
        }
        if let Some(verified) = verified.filter(|verified| verified.missing > 0) {
            bail!("{} callbacks were answered 200 but are neither in a session nor quarantined", verified.missing);
        }
        Ok(())
    }
}

/// Host and port of a URL.
fn authority_of(url: &Url) -> anyhow::Result<String> {
    let host = url.host_str().context("--url has no host")?;
    Ok(format!("{host}:{}", url.port_or_known_default().unwrap_or(80)))
}
