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
use clap::Args;
use reqwest::Url;
use secrecy::SecretString;
use tokio::task::LocalSet;

use super::BadUsage;
use super::output::{OneOutputOptions, Output, say};
use super::progress;
use super::sender::SenderOptions;
use crate::config;
use load::Plan;
use outcome::Outcome;
use supply::Supply;

/// Send made-up pushes that go as real ones do, to see what a service can take
///
/// Messages of made-up pushes of the last 20 hours, as many as are wanted, in the order in which they would come.
///
/// Lengths, breaks, reconnects, late, lost, repeated and inverted messages are as large platforms see them. Streams are
/// named sim-RUN-…; they stay in the history of the domain, so that one is to be taken that is there for that.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SimulateCommand {
    #[command(flatten)]
    sender: SenderOptions,
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
    #[command(flatten)]
    output: OneOutputOptions,
}

const EXAMPLES: &str = "\
Examples:
  streamtally simulate --domain load.example.com                             as fast as it goes
  streamtally simulate --domain load.example.com --rate 1000 --duration 1m   1,000 a second
  streamtally simulate --domain load.example.com --messages 10000 --verify   is nothing lost?

Exits with 0 when messages were answered 200 and, with --verify, all of these are found, else with
1; with 2 on bad usage.";

impl SimulateCommand {
    /// Sends, and prints what came of it.
    ///
    /// # Errors
    /// When the service cannot be reached, or a message that was answered 200 is missing.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.sender.url.scheme() != "http" {
            let words = "--url must begin with http://: a load is sent without TLS, past a proxy that has it";
            return Err(BadUsage(words.to_owned()).into());
        }
        let duration = self.duration.to_std().map_err(|_| BadUsage("--duration must not be negative".to_owned()))?;
        let (key, joiner) = self.sender.find_key().await?;
        let token = (self.verify || self.visibility).then(|| self.sender.api_token()).transpose()?;
        let supply = Supply::new(&self, key, joiner);
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
            url: self.sender.url.clone(),
            connections: self.connections,
            rate: self.rate,
            duration,
            messages: self.messages,
        };
        let progress = progress::bar(most, "messages");
        let visibility = token.clone().filter(|_| self.visibility);
        let outcome = Rc::new(Outcome::default());
        load::send(&plan, supply, visibility, Rc::clone(&outcome), &progress).await?;
        progress.finish_and_clear();
        let verified = match token.filter(|_| self.verify) {
            Some(token) => {
                Some(verify::verify(&self.sender.url, &token, &self.sender.domain, &prefix, &outcome).await?)
            }
            None => None,
        };
        match self.output.output {
            Output::Json => say!("{}", outcome.json(verified.as_ref()))?,
            Output::Table | Output::Csv => say!("{}", outcome.table(verified.as_ref()))?,
        }
        if outcome.acknowledged.get() == 0 {
            bail!("no message was answered 200: is the service at {}, and is the key the domain's?", self.sender.url);
        }
        if let Some(verified) = verified.filter(|verified| verified.missing > 0) {
            bail!("{} messages were answered 200 and are in no session", verified.missing);
        }
        Ok(())
    }
}

/// Host and port of a URL.
fn authority_of(url: &Url) -> anyhow::Result<String> {
    let host = url.host_str().context("--url names no host")?;
    Ok(format!("{host}:{}", url.port_or_known_default().unwrap_or(80)))
}
