//! What the commands have in common that play the provider: for whom they send, where to, and with which key.

use anyhow::Context;
use clap::Args;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::database::{self, Access};
use super::domain::refuse_unknown;
use super::secret_from_stdin;
use crate::config::InstallationOptions;
use crate::huawei::signature::{Joiner, SigningKey};
use crate::registry::open_key;
use crate::store;

#[derive(Debug, Args)]
pub(super) struct SenderOptions {
    #[command(flatten)]
    pub(super) installation: InstallationOptions,
    /// Ingest domain, exactly as it is registered
    #[arg(long)]
    pub(super) domain: String,
    /// Application
    #[arg(long, default_value = "live")]
    pub(super) app: String,
    /// Where the service is
    #[arg(long, env = "STREAMTALLY_URL", default_value = "http://127.0.0.1:8080")]
    pub(super) url: Url,
    /// Read the key from standard input; the domain's newest, from the database, when left out
    #[arg(long)]
    pub(super) key_stdin: bool,
    /// With --key-stdin: what stands between the signed fields
    #[arg(long, default_value = "", value_parser = ["", "+"], requires = "key_stdin")]
    joiner: String,
    /// API token for whatever is asked of the service; the administrator's when unset
    #[arg(long, env = "STREAMTALLY_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
}

impl SenderOptions {
    /// The API token that is given, or the administrator's.
    ///
    /// # Errors
    /// When none is known.
    pub(super) fn api_token(&self) -> anyhow::Result<SecretString> {
        database::api_token(&self.installation, self.token.as_ref())
    }

    /// The key that is given, or the newest of the domain; and what stands between the signed fields.
    ///
    /// # Errors
    /// When the domain is not registered or has no key, or the database cannot be used.
    pub(super) async fn find_key(&self) -> anyhow::Result<(SigningKey, Joiner)> {
        let (key, joiner) = if self.key_stdin {
            (secret_from_stdin()?, Joiner::from_text(&self.joiner).unwrap_or_default())
        } else {
            self.find_registered_key().await?
        };
        Ok((SigningKey::new(key.expose_secret()), joiner))
    }

    async fn find_registered_key(&self) -> anyhow::Result<(SecretString, Joiner)> {
        let domain = &self.domain;
        database::with_installation(&self.installation, Access::Read, async |on| {
            let Some(row) = store::domain::get_domain(&on.pool, domain).await? else {
                return refuse_unknown(on, domain).await;
            };
            let keys = store::signing_key::list_signing_keys(&on.pool).await?;
            let key = keys.iter().find(|key| key.domain == *domain).with_context(|| {
                format!("{domain} has no key; `domain key add` adds one, --callback-path of `send` does without")
            })?;
            Ok((open_key(key, &on.master_key)?, Joiner::from_text(&row.joiner).unwrap_or_default()))
        })
        .await
    }
}
