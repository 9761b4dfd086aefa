//! Settings of webhooks.

use std::path::PathBuf;

use anyhow::Context;
use chrono::TimeDelta;
use clap::Args;
use ipnet::IpNet;
use reqwest::Certificate;
use uuid::Uuid;

use crate::delivery::transport::Transport;
use crate::delivery::upkeep::UpkeepPolicy;
use crate::model::duration;
use crate::platform::address::AddressPolicy;

/// Heading in --help.
const WEBHOOKS: &str = "Webhooks";

#[allow(clippy::doc_markdown, reason = "--help shows it as plain text")]
#[derive(Debug, Clone, Args)]
pub struct WebhookOptions {
    /// Networks with addresses that are not public, such as 10.1.0.0/16, to which webhooks may be sent, separated by commas.
    /// Never the addresses at which clouds give credentials. Unset: only public addresses
    #[arg(long, help_heading = WEBHOOKS, env = "STREAMTALLY_WEBHOOK_ALLOW_NETWORKS", value_delimiter = ',', value_parser = super::network, value_name = "NETWORKS")]
    pub webhook_allow_networks: Vec<IpNet>,

    /// Also allow http:// for webhooks. Anyone on the network path can then read what is sent
    #[arg(long, help_heading = WEBHOOKS, env = "STREAMTALLY_WEBHOOK_ALLOW_HTTP")]
    pub webhook_allow_http: bool,

    /// How long a receiver has to respond; 1 s to 30 s
    #[arg(long, help_heading = WEBHOOKS, env = "STREAMTALLY_WEBHOOK_TIMEOUT", default_value = "15s", value_parser = duration_of_attempt, value_name = "DURATION")]
    pub webhook_timeout: TimeDelta,

    /// How long a callback is kept for its relays, at most
    #[arg(long, help_heading = WEBHOOKS, env = "STREAMTALLY_RELAY_KEEP", default_value = "72h", value_parser = duration::read, value_name = "DURATION")]
    pub relay_keep: TimeDelta,

    /// Maximum size of the callbacks that are kept for relays, in MiB. Above it, the oldest are deleted
    #[arg(long, help_heading = WEBHOOKS, env = "STREAMTALLY_RELAY_CAPACITY", default_value = "4096", value_parser = clap::value_parser!(u32).range(1..=1_048_576), value_name = "MEBIBYTES")]
    pub relay_capacity: u32,

    /// Certificates, in PEM, of authorities that webhooks trust besides the public ones
    #[arg(long, help_heading = WEBHOOKS, env = "STREAMTALLY_WEBHOOK_CA_FILE", value_name = "FILE")]
    pub webhook_ca_file: Option<PathBuf>,
}

impl WebhookOptions {
    /// # Errors
    /// The file of authorities cannot be used.
    pub fn transport(&self, installation_id: Uuid) -> anyhow::Result<Transport> {
        let authorities = match &self.webhook_ca_file {
            None => Vec::new(),
            Some(path) => {
                let unusable = || format!("--webhook-ca-file: {} cannot be used", path.display());
                let pem = std::fs::read(path).with_context(unusable)?;
                Certificate::from_pem_bundle(&pem).with_context(unusable)?
            }
        };
        let policy = self.address_policy();
        let timeout = self.webhook_timeout.to_std()?;
        let transport = Transport::new(policy, self.webhook_allow_http, authorities, timeout, installation_id);
        transport.context("webhooks cannot be sent by these settings")
    }

    /// Which addresses the installation sends requests to.
    #[must_use]
    pub fn address_policy(&self) -> AddressPolicy {
        AddressPolicy::new(self.webhook_allow_networks.clone())
    }

    #[must_use]
    pub fn upkeep_policy(&self, unconfirmed_after: TimeDelta) -> UpkeepPolicy {
        let body_capacity_bytes = i64::from(self.relay_capacity) << 20;
        UpkeepPolicy { unconfirmed_after, keep_bodies: self.relay_keep, body_capacity_bytes }
    }
}

fn duration_of_attempt(text: &str) -> Result<TimeDelta, String> {
    let duration = duration::read(text)?;
    let allowed = TimeDelta::seconds(1)..=TimeDelta::seconds(30);
    allowed.contains(&duration).then_some(duration).ok_or_else(|| "must be from 1s to 30s".to_owned())
}
