//! How much callers may have under way at a time.

use clap::{Args, value_parser};

use super::NETWORK;

/// Limits on callers.
#[allow(clippy::doc_markdown, reason = "shown as it is by --help")]
#[derive(Debug, Clone, Copy, Args)]
pub struct LimitOptions {
    /// Connections that may be open at one time, shared evenly by as many workers as there are processors; others wait
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_CONNECTIONS", default_value = "20000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "CONNECTIONS")]
    pub max_connections: u32,

    /// Connections that may be open at one time from one address, or one /64 network of IPv6, unless it is a trusted proxy's;
    /// others are closed
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_CONNECTIONS_PER_ADDRESS", default_value = "2000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "CONNECTIONS")]
    pub max_connections_per_address: u32,

    /// Listeners to /v1/live/changes that may be connected at one time; others are answered 429
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_LISTENERS", default_value = "4000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "LISTENERS")]
    pub max_listeners: u32,

    /// Listeners to /v1/live/changes that may be connected with one token at one time; others are answered 429
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_LISTENERS_PER_TOKEN", default_value = "1000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "LISTENERS")]
    pub max_listeners_per_token: u32,
}
