//! `login` and `logout`: a service and a token for the commands that ask a service.

use anyhow::bail;
use clap::Args;
use reqwest::{StatusCode, Url};

use super::client::options::{base_url, reject_plain_http};
use super::client::profile::Profile;
use super::client::{Client, Query};
use super::output::say;
use super::prompt::read_secret;

/// Store a service and a token for the commands that ask a service
///
/// Reads the token from standard input, or asks for it at a terminal, and checks it. Both are stored for this user in
/// $XDG_CONFIG_HOME/streamtally/login.json, readable only by the user. `live`, `sessions`, `report` and others then ask this
/// service, unless --url, STREAMTALLY_URL or a data folder names another.
#[derive(Debug, Args)]
#[command(after_help = LOGIN_EXAMPLES)]
pub(super) struct LoginCommand {
    /// Base URL of the service
    #[arg(value_parser = base_url)]
    url: Url,
    /// Send the token over plain HTTP to another machine, too: everyone on the way can read it
    #[arg(long)]
    insecure_http: bool,
}

const LOGIN_EXAMPLES: &str = "\
Examples:
  streamtally login https://streams.example.com
  streamtally login https://streams.example.com <token.txt";

/// Forget the service and the token of `login`
///
/// The token stays valid: `token revoke` revokes it.
#[derive(Debug, Args)]
#[command(after_help = LOGOUT_EXAMPLES)]
pub(super) struct LogoutCommand {}

const LOGOUT_EXAMPLES: &str = "\
Examples:
  streamtally logout";

impl LoginCommand {
    /// # Errors
    /// The service rejects the token or is unreachable, or the folder is not writable.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { url, insecure_http } = self;
        reject_plain_http(&url, insecure_http)?;
        let profile = Profile { url, token: read_secret("token")?, insecure_http };
        let client = Client::new(profile.url.clone(), Some(profile.token()))?;
        match client.get("/v1/live", &Query::default()).await {
            Ok(_) => {}
            // A token for billing alone is valid, too.
            Err(error) if error.status() == Some(StatusCode::FORBIDDEN) => {}
            Err(error) => return Err(error.into()),
        }
        let path = profile.store()?;
        Ok(say!("logged in; the token is stored in {}", path.display())?)
    }
}

impl LogoutCommand {
    /// # Errors
    /// There is no login, or it cannot be removed.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self {} = self;
        if !Profile::remove()? {
            bail!("there is no login");
        }
        Ok(say!("logged out; the token stays valid until it is revoked")?)
    }
}
