//! Settings of requests to the provider.

use anyhow::Context;
use clap::Args;

use super::WebhookOptions;
use crate::polling::client::ProviderClient;

/// Heading in --help.
const PROVIDER: &str = "Provider's API";

#[derive(Debug, Clone, Copy, Args)]
pub struct PollOptions {
    /// Also allow http:// for endpoints of provider accounts, for tests. Anyone on the network path can then read the
    /// provider's answers, with the callback key
    #[arg(long, help_heading = PROVIDER, env = "STREAMTALLY_POLL_ALLOW_HTTP")]
    pub poll_allow_http: bool,
}

impl PollOptions {
    /// Requests go where webhooks may go.
    ///
    /// # Errors
    /// The TLS library fails.
    pub fn client(self, webhooks: &WebhookOptions) -> anyhow::Result<ProviderClient> {
        let client = ProviderClient::new(webhooks.address_policy(), self.poll_allow_http);
        client.context("requests to the provider cannot be sent by these settings")
    }
}
