//! `domain`: who may send.

use anyhow::Context;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::database::{Installation, with_installation};
use super::secret_from_stdin;
use crate::clock;
use crate::config::InstallationOptions;
use crate::huawei::admission::SignatureRule;
use crate::huawei::signature::Joiner;
use crate::registry::admin::{self, AdminError, DomainSettings};
use crate::registry::open_key;
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

#[derive(Debug, Subcommand)]
pub(super) enum DomainCommand {
    /// Register a domain, with a key (or, unsigned, with a secret path), and say what to set at the provider
    Add(AddDomain),
    /// Change a registered domain; what is not said takes its default
    Set(SetDomain),
    /// Show every domain
    List(InstallationOptions),
    /// Show a domain and its keys' ids
    Show(OneDomain),
    /// Stop receiving for a domain and forget its keys; its history stays
    Remove(OneDomain),
    /// Add and remove a domain's keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Give a domain a new secret path; the old one stops working
    CallbackToken(OneDomain),
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Add a key, and print it if it was generated
    Add(AddKey),
    /// Remove a key: messages signed with it are refused from now on
    Remove(RemoveKey),
}

#[derive(Debug, Args)]
pub(super) struct OneDomain {
    #[command(flatten)]
    installation: InstallationOptions,
    /// The domain's name, exactly as the provider sends it
    domain: String,
}

#[derive(Debug, Args)]
pub(super) struct AddDomain {
    #[command(flatten)]
    one: OneDomain,
    #[command(flatten)]
    settings: SettingsOptions,
    /// Read the key that is set at the provider from standard input; generated when left out
    #[arg(long, conflicts_with = "unsigned")]
    key_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetDomain {
    #[command(flatten)]
    one: OneDomain,
    #[command(flatten)]
    settings: SettingsOptions,
}

#[derive(Debug, Args)]
struct SettingsOptions {
    /// Its messages are not signed: they come in through its secret path alone
    #[arg(long)]
    unsigned: bool,
    /// An application that may send; all may when none is named. May be repeated
    #[arg(long = "app", value_name = "APP")]
    apps: Vec<String>,
    /// What stands between the signed fields: nothing, or +
    #[arg(long, default_value = "", value_parser = ["", "+"])]
    joiner: String,
    /// A transcoding template whose renditions are notified. May be repeated
    #[arg(long = "rendition-template", value_name = "TEMPLATE")]
    rendition_templates: Vec<String>,
    /// Several pushers of one stream at once are normal
    #[arg(long)]
    concurrent_pushes: bool,
}

#[derive(Debug, Args)]
pub(super) struct AddKey {
    #[command(flatten)]
    one: OneDomain,
    /// Read the key that is set at the provider from standard input; generated when left out
    #[arg(long)]
    key_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct RemoveKey {
    #[command(flatten)]
    one: OneDomain,
    /// The key's id, as `domain show` prints it
    key_id: Uuid,
}

impl From<SettingsOptions> for DomainSettings {
    fn from(options: SettingsOptions) -> Self {
        Self {
            signature: if options.unsigned { SignatureRule::None } else { SignatureRule::Required },
            apps: (!options.apps.is_empty()).then_some(options.apps),
            joiner: Joiner::from_text(&options.joiner).unwrap_or_default(),
            rendition_templates: options.rendition_templates,
            concurrent_pushes: options.concurrent_pushes,
        }
    }
}

impl DomainCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// When the database cannot be used, or what is asked for is not possible.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(AddDomain { one, settings, key_stdin }) => {
                let key = if key_stdin { Some(secret_from_stdin()?) } else { None };
                with_installation(&one.installation, async |on| add(on, &one.domain, settings.into(), key).await).await
            }
            Self::Set(SetDomain { one, settings }) => {
                with_installation(&one.installation, async |on| {
                    get(on, &one.domain).await?;
                    let (row, _) =
                        admin::put_domain(&on.pool, &on.actor, &one.domain, settings.into(), clock::now()).await?;
                    print_domain(&row, &[]);
                    Ok(())
                })
                .await
            }
            Self::List(options) => with_installation(&options, async |on| list(on).await).await,
            Self::Show(one) => {
                with_installation(&one.installation, async |on| {
                    let row = get(on, &one.domain).await?;
                    let keys = store::signing_key::list_signing_keys(&on.pool).await?;
                    print_domain(&row, &keys);
                    Ok(())
                })
                .await
            }
            Self::Remove(one) => {
                with_installation(&one.installation, async |on| {
                    admin::remove_domain(&on.pool, &on.actor, &one.domain, clock::now()).await?;
                    println!("{} is no longer received for; its history stays", one.domain);
                    Ok(())
                })
                .await
            }
            Self::Key(command) => command.run().await,
            Self::CallbackToken(one) => {
                with_installation(&one.installation, async |on| print_new_path(on, &one.domain).await).await
            }
        }
    }
}

impl KeyCommand {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(AddKey { one, key_stdin }) => {
                let key = if key_stdin { Some(secret_from_stdin()?) } else { None };
                with_installation(&one.installation, async |on| print_new_key(on, &one.domain, key).await).await
            }
            Self::Remove(RemoveKey { one, key_id }) => {
                with_installation(&one.installation, async |on| {
                    admin::remove_key(&on.pool, &on.actor, &one.domain, key_id, clock::now()).await?;
                    println!("messages signed with {key_id} are refused from now on");
                    Ok(())
                })
                .await
            }
        }
    }
}

async fn get(on: &Installation, domain: &str) -> anyhow::Result<DomainRow> {
    let row = store::domain::get_domain(&on.pool, domain).await?;
    Ok(row.ok_or(AdminError::NotFound("domain"))?)
}

async fn add(
    on: &Installation,
    domain: &str,
    settings: DomainSettings,
    key: Option<SecretString>,
) -> anyhow::Result<()> {
    if store::domain::get_domain(&on.pool, domain).await?.is_some() {
        anyhow::bail!("{domain} is registered already; `domain set` changes it, `domain key add` adds a key");
    }
    if let Some(key) = &key {
        admin::check_key(key)?;
    }
    let unsigned = settings.signature == SignatureRule::None;
    admin::put_domain(&on.pool, &on.actor, domain, settings, clock::now()).await?;
    println!("{domain} is registered.");
    if unsigned {
        print_new_path(on, domain).await
    } else {
        println!("Notification URL to set at the provider: https://THIS-SERVICE/callbacks/huawei");
        print_new_key(on, domain, key).await
    }
}

async fn print_new_key(on: &Installation, domain: &str, key: Option<SecretString>) -> anyhow::Result<()> {
    let generated = key.is_none();
    let (row, key) = admin::add_key(&on.pool, &on.actor, &on.master_key, domain, key, clock::now()).await?;
    println!("Key id: {}", row.key_id);
    if generated {
        println!("Key to set at the provider, shown this once: {}", key.expose_secret());
    }
    Ok(())
}

async fn print_new_path(on: &Installation, domain: &str) -> anyhow::Result<()> {
    let token = admin::replace_callback_token(&on.pool, &on.actor, domain, clock::now()).await?;
    println!(
        "Notification URL to set at the provider, shown this once: https://THIS-SERVICE/callbacks/huawei/{}",
        token.expose_secret()
    );
    Ok(())
}

async fn list(on: &Installation) -> anyhow::Result<()> {
    let rows = store::domain::list_domains(&on.pool).await?;
    let keys = store::signing_key::list_signing_keys(&on.pool).await?;
    if rows.is_empty() {
        println!("no domain is registered; `domain add NAME` registers one");
    }
    for row in rows {
        let active = keys.iter().filter(|key| key.domain == row.domain).count();
        println!("{}\tsignature {}\t{active} active keys", row.domain, row.signature);
    }
    Ok(())
}

fn print_domain(row: &DomainRow, keys: &[SigningKeyRow]) {
    println!("domain               {}", row.domain);
    println!("signature            {}", row.signature);
    println!("apps                 {}", row.apps.as_ref().map_or("all".to_owned(), |apps| apps.join(", ")));
    println!("joiner               {}", if row.joiner.is_empty() { "nothing" } else { &row.joiner });
    println!("rendition templates  {}", row.rendition_templates.join(", "));
    println!("concurrent pushes    {}", row.concurrent_pushes);
    println!("secret path          {}", if row.callback_token_hash.is_some() { "set" } else { "none" });
    for key in keys.iter().filter(|key| key.domain == row.domain) {
        println!("key                  {} added {}", key.key_id, key.created_at.format("%Y-%m-%dT%H:%M:%SZ"));
    }
}

/// The newest key of a domain, and what stands between its signed fields.
///
/// # Errors
/// When the domain is not registered or has no key, or the database cannot be used.
pub(super) async fn find_key(options: &InstallationOptions, domain: &str) -> anyhow::Result<(SecretString, Joiner)> {
    with_installation(options, async |on| {
        let row = store::domain::get_domain(&on.pool, domain).await?;
        let row = row.with_context(|| format!("{domain} is not registered; `domain add` does it"))?;
        let keys = store::signing_key::list_signing_keys(&on.pool).await?;
        let key = keys.iter().find(|key| key.domain == domain).with_context(|| {
            format!("{domain} has no key; `domain key add` adds one, --callback-path of `send` does without")
        })?;
        Ok((open_key(key, &on.master_key)?, Joiner::from_text(&row.joiner).unwrap_or_default()))
    })
    .await
}
