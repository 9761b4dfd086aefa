//! Which service a command asks, and with which token.

use std::net::IpAddr;

use anyhow::bail;
use clap::Args;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::problem::origin;
use super::profile::Profile;
use super::{Client, Token};
use crate::cli::BadUsage;
use crate::config::{self, FolderOptions, ListenOptions};
use crate::platform::data_dir::DataDir;

/// Heading of --help.
const SERVICE: &str = "Service";

const URL: &str = "STREAMTALLY_URL";
const TOKEN: &str = "STREAMTALLY_TOKEN";
const ADMIN_TOKEN: &str = "STREAMTALLY_ADMIN_TOKEN";

/// A running service.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServiceOptions {
    /// Base URL of the service. Default: that of `login`, otherwise the service on this machine
    #[arg(long, help_heading = SERVICE, env = URL, hide_env_values = true, value_name = "URL", value_parser = base_url)]
    pub(in crate::cli) url: Option<Url>,
    /// Token for the API. Default: that of `login`; for this machine, the administrator's in the data folder
    #[arg(long, help_heading = SERVICE, env = TOKEN, hide_env_values = true, value_name = "TOKEN")]
    token: Option<SecretString>,
    /// Send the token over plain HTTP to another machine, too: everyone on the way can read it
    #[arg(long, help_heading = SERVICE)]
    insecure_http: bool,
}

impl ServiceOptions {
    /// The service that is named by a flag, the environment or the profile; otherwise the one on this machine. A data folder
    /// that is named means the service on this machine, too.
    ///
    /// # Errors
    /// There is no token, or it must not be sent over plain HTTP.
    pub(in crate::cli) fn connect(&self, folders: &FolderOptions) -> anyhow::Result<Client> {
        let profile = load_profile(folders)?;
        let url = match (&self.url, &profile) {
            (Some(url), _) => url.clone(),
            (None, Some(profile)) => profile.url.clone(),
            (None, None) => local_service()?,
        };
        self.connect_to(url, profile.as_ref(), folders)
    }

    /// The same, but never the service of the profile: for commands that act as the provider.
    ///
    /// # Errors
    /// As of [`connect`](Self::connect).
    pub(in crate::cli) fn connect_without_profile(&self, folders: &FolderOptions) -> anyhow::Result<Client> {
        self.connect_to(self.url_without_profile()?, load_profile(folders)?.as_ref(), folders)
    }

    /// # Errors
    /// `STREAMTALLY_LISTEN` is not an address.
    pub(in crate::cli) fn url_without_profile(&self) -> anyhow::Result<Url> {
        self.url.clone().map_or_else(local_service, Ok)
    }

    /// Whether a flag, the environment or the profile names a service.
    ///
    /// # Errors
    /// The profile is not readable.
    pub(in crate::cli) fn names_a_service(&self, folders: &FolderOptions) -> anyhow::Result<bool> {
        Ok(self.url.is_some() || load_profile(folders)?.is_some())
    }

    fn connect_to(&self, url: Url, profile: Option<&Profile>, folders: &FolderOptions) -> anyhow::Result<Client> {
        let profile = profile.filter(|profile| profile.url.origin() == url.origin());
        reject_plain_http(&url, self.insecure_http || profile.is_some_and(|profile| profile.insecure_http))?;
        let token = match (&self.token, profile) {
            (Some(secret), _) => Token { secret: secret.clone(), source: source_of(secret) },
            (None, Some(profile)) => Token { secret: profile.token.clone(), source: "`streamtally login`".to_owned() },
            (None, None) => administrators_token(&url, folders)?,
        };
        Client::new(url, Some(token))
    }
}

/// A data folder that is named means the service on this machine.
fn load_profile(folders: &FolderOptions) -> anyhow::Result<Option<Profile>> {
    if folders.data_dir.is_some() { Ok(None) } else { Profile::load() }
}

/// clap does not say which of the two it took.
fn source_of(secret: &SecretString) -> String {
    let from_environment = std::env::var(TOKEN).is_ok_and(|token| token == secret.expose_secret());
    if from_environment { TOKEN } else { "--token" }.to_owned()
}

/// The administrator's token belongs to the service on this machine, and is sent to no other.
fn administrators_token(url: &Url, folders: &FolderOptions) -> anyhow::Result<Token> {
    let place = origin(url);
    if !is_this_machine(url) {
        bail!("there is no token for {place}; `streamtally login {place}` stores one, or set {TOKEN}");
    }
    if let Ok(secret) = std::env::var(ADMIN_TOKEN) {
        return Ok(Token { secret: secret.into(), source: ADMIN_TOKEN.to_owned() });
    }
    let data_dir = DataDir::find(folders.data_dir.as_deref())?;
    let file = data_dir.path().join(config::ADMIN_TOKEN_FILE);
    match data_dir.read_secret(config::ADMIN_TOKEN_FILE)? {
        Some(secret) => Ok(Token { secret, source: file.display().to_string() }),
        None => bail!(
            "there is no token for {place}, and no {}; set {TOKEN} or --data-dir, or log in: `streamtally login {place}`",
            file.display()
        ),
    }
}

/// Everyone on the way can read what is sent over plain HTTP.
///
/// # Errors
/// The URL is plain HTTP to another machine, and that is not allowed.
pub(in crate::cli) fn reject_plain_http(url: &Url, allowed: bool) -> Result<(), BadUsage> {
    if url.scheme() == "https" || allowed || is_this_machine(url) {
        return Ok(());
    }
    Err(BadUsage(format!(
        "the token would be sent to {} over plain HTTP, where everyone on the way can read it; use https, or give \
         --insecure-http",
        origin(url)
    )))
}

/// Whether the URL can only lead to this machine.
pub(in crate::cli) fn is_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn local_service() -> anyhow::Result<Url> {
    Ok(ListenOptions::from_environment()?.local_url().parse()?)
}

/// # Errors
/// The text is not the URL of a service.
pub(in crate::cli) fn base_url(text: &str) -> Result<Url, String> {
    let url = text.parse::<Url>().ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    let url = url.filter(|url| url.query().is_none() && url.fragment().is_none());
    url.ok_or_else(|| "write a URL like https://streamtally.example.com".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_carries_a_token_only_on_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost", true),
            ("https://streams.example.com", true),
            ("http://streams.example.com", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0:8080", false),
        ] {
            assert_eq!(reject_plain_http(&url.parse().unwrap(), false).is_ok(), expected, "{url}");
        }
        assert!(reject_plain_http(&"http://10.0.0.1".parse().unwrap(), true).is_ok());
    }

    #[test]
    fn a_service_has_a_web_address() {
        assert!(base_url("https://streams.example.com/base").is_ok());
        for text in ["streams.example.com", "ftp://x", "mailto:x@y", "https://x/?a=b", ""] {
            assert!(base_url(text).is_err(), "{text}");
        }
    }
}
