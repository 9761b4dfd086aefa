//! Options of the commands that act as the provider.

use anyhow::Context;
use clap::Args;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::client::Client;
use super::client::options::ServiceOptions;
use super::database::{self, Access};
use super::domain::fail_unknown_domain;
use super::{one_of, secret_from_stdin};
use crate::config::InstallationOptions;
use crate::huawei::signature::SigningKey;
use crate::model::access::FieldSeparator;
use crate::registry::open_key;
use crate::store;

#[derive(Debug, Args)]
pub(super) struct SenderOptions {
    #[command(flatten)]
    pub(super) installation: InstallationOptions,
    /// Ingest domain, exactly as registered
    #[arg(long, short)]
    pub(super) domain: String,
    /// App
    #[arg(long, default_value = "live")]
    pub(super) app: String,
    #[command(flatten)]
    service: ServiceOptions,
    /// Read the key from standard input. Default: the newest key of the domain, from the database
    #[arg(long)]
    pub(super) key_stdin: bool,
    /// With --key-stdin: separator (joiner) of the signed fields
    #[arg(long, default_value = "", value_parser = one_of::<FieldSeparator>(), requires = "key_stdin")]
    joiner: FieldSeparator,
}

impl SenderOptions {
    /// Where callbacks are sent: never to the service of a login, which the key may not belong to.
    ///
    /// # Errors
    /// The address of the service on this machine is not valid.
    pub(super) fn url(&self) -> anyhow::Result<Url> {
        self.service.url_without_profile()
    }

    /// # Errors
    /// There is no token, or it must not be sent.
    pub(super) fn connect(&self) -> anyhow::Result<Client> {
        self.service.connect_without_profile(&self.installation.folders)
    }

    /// The key and the separator of the signed fields.
    ///
    /// # Errors
    /// The domain is not registered or has no key, or the database is unusable.
    pub(super) async fn find_key(&self) -> anyhow::Result<(SigningKey, FieldSeparator)> {
        let (key, joiner) =
            if self.key_stdin { (secret_from_stdin()?, self.joiner) } else { self.find_registered_key().await? };
        Ok((SigningKey::new(key.expose_secret()), joiner))
    }

    async fn find_registered_key(&self) -> anyhow::Result<(SecretString, FieldSeparator)> {
        let domain = &self.domain;
        database::with_installation(&self.installation, Access::Read, async |on| {
            let Some(row) = store::domain::get_domain(&on.pool, domain).await? else {
                return fail_unknown_domain(on, domain).await;
            };
            let keys = store::signing_key::list_signing_keys(&on.pool).await?;
            let key = keys.iter().find(|key| key.domain == *domain).with_context(|| {
                format!("{domain} has no key; `domain key add` adds one, or use `send --callback-path`")
            })?;
            Ok((open_key(key, &on.master_key)?, row.joiner))
        })
        .await
    }
}
