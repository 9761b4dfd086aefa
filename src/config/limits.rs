//! How much callers may have under way at a time.

use clap::{Args, value_parser};

use super::NETWORK;

/// Limits on callers.
#[allow(clippy::doc_markdown, reason = "shown as it is by --help")]
#[derive(Debug, Clone, Copy, Args)]
pub struct LimitOptions {
    /// Listeners to /v1/live/changes that may be connected at one time; others are answered 429
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_LISTENERS", default_value = "4000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "LISTENERS")]
    pub max_listeners: u32,

    /// Listeners to /v1/live/changes that may be connected with one token at one time; others are answered 429
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_MAX_LISTENERS_PER_TOKEN", default_value = "1000", value_parser = value_parser!(u32).range(1..=1_000_000), value_name = "LISTENERS")]
    pub max_listeners_per_token: u32,
}
