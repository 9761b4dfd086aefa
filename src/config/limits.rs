//! Limits on connections and listeners.

use clap::{Args, value_parser};

use super::NETWORK;

#[allow(clippy::doc_markdown, reason = "--help shows it as plain text")]
#[derive(Debug, Clone, Copy, Args)]
pub struct LimitOptions {
    /// Maximum open connections, divided evenly among the workers (there is one for each processor). Further ones wait
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_CONNECTIONS", default_value = "20000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "CONNECTIONS")]
    pub max_connections: u32,

    /// Maximum open connections from one address, or one /64 network of IPv6. Others are closed. Does not apply to trusted
    /// proxies
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_CONNECTIONS_PER_ADDRESS", default_value = "12000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "CONNECTIONS")]
    pub max_connections_per_address: u32,

    /// Maximum listeners to /v1/live/changes. Others are answered 429
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_LISTENERS", default_value = "4000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "LISTENERS")]
    pub max_listeners: u32,

    /// Maximum listeners to /v1/live/changes with one token. Others are answered 429
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_LISTENERS_PER_TOKEN", default_value = "1000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "LISTENERS")]
    pub max_listeners_per_token: u32,
}
