//! `domain`: ingest domains, their keys and secret paths.

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::database::{Access, CREATE, CommandContext, with_installation};
use super::output::{Column, OneOutputOptions, Output, OutputOptions, Printer, say};
use super::rejections::say_what_a_retry_admits;
use super::{one_of, secret_from_stdin};
use crate::config::InstallationOptions;
use crate::http::domains::DomainView;
use crate::model::access::{FieldSeparator, SignatureRule};
use crate::model::close_rule::CloseRule;
use crate::platform::clock;
use crate::registry::admin::{self, AdminError, DomainSettings};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

#[derive(Debug, Subcommand)]
pub(super) enum DomainCommand {
    /// Register a domain with a key or, unsigned, with a secret path, and print what to set at the provider
    ///
    /// Callbacks of unregistered domains are rejected. Every process accepts the domain within 2 seconds.
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddDomain),
    /// Change the settings of a domain; omitted options take their defaults
    ///
    /// The options replace all settings: repeat those that should stay. `domain show` prints them.
    #[command(after_help = SET_EXAMPLES)]
    Set(SetDomain),
    /// List all domains
    #[command(after_help = LIST_EXAMPLES)]
    List(ListDomains),
    /// Show a domain and the IDs of its keys
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowDomain),
    /// Stop accepting callbacks of a domain and delete its keys; its history stays
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove(OneDomain),
    /// Add and remove keys of a domain
    ///
    /// The provider has one key per domain; this service can have several. To rotate a key without losing a callback, add the
    /// new key here, set it at the provider, and remove the old key when it is no longer used.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Create or replace the secret path of a domain; the old path stops working
    ///
    /// Takes effect within 2 seconds. Callbacks to the old path are rejected: set the new path at the provider.
    #[command(after_help = TOKEN_EXAMPLES)]
    CallbackToken(OneDomain),
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Add a key, and print it if it was generated
    #[command(after_help = ADD_KEY_EXAMPLES)]
    Add(AddKey),
    /// Remove a key; callbacks signed with it are rejected from now on
    #[command(after_help = REMOVE_KEY_EXAMPLES)]
    Remove(RemoveKey),
}

const ADD_EXAMPLES: &str = "\
Examples:
  streamtally domain add push.example.com                        generate a key and print it once
  streamtally domain add push.example.com --key-stdin <key.txt   with the key set at the provider
  streamtally domain add push.example.com --unsigned             only through a secret path";

const SET_EXAMPLES: &str = "\
Examples:
  streamtally domain set push.example.com --app live --app vod   accept only these two apps
  streamtally domain set push.example.com --close-unconfirmed-after 12h
  streamtally domain set push.example.com                        restore the defaults";

const LIST_EXAMPLES: &str = "\
Examples:
  streamtally domain list
  streamtally domain list --output csv >domains.csv";

const SHOW_EXAMPLES: &str = "\
Examples:
  streamtally domain show push.example.com
  streamtally domain show push.example.com --output json   as GET /v1/domains/push.example.com";

const REMOVE_EXAMPLES: &str = "\
Examples:
  streamtally domain remove push.example.com";

const TOKEN_EXAMPLES: &str = "\
Examples:
  streamtally domain callback-token push.example.com";

const ADD_KEY_EXAMPLES: &str = "\
Examples:
  streamtally domain key add push.example.com                    generate a key and print it once
  streamtally domain key add push.example.com --key-stdin <key.txt";

const REMOVE_KEY_EXAMPLES: &str = "\
Examples:
  streamtally domain key remove push.example.com 85831e6a-774d-4391-b7fe-f34ec1b1d128";

/// Columns of tables and CSV; JSON has everything.
const COLUMNS: [Column; 6] = [
    Column::new("domain"),
    Column::new("signature"),
    Column::or("apps", "all"),
    Column::new("has_callback_token"),
    Column::or("keys", "none"),
    Column::new("created_at"),
];

#[derive(Debug, Args)]
pub(super) struct ListDomains {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct ShowDomain {
    #[command(flatten)]
    one: OneDomain,
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct OneDomain {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Name of the domain, exactly as the provider sends it
    domain: String,
}

#[derive(Debug, Args)]
pub(super) struct AddDomain {
    #[command(flatten)]
    one: OneDomain,
    #[command(flatten)]
    settings: SettingsOptions,
    /// Read the key from standard input, as set at the provider. Default: generate a key
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
    /// Callbacks are unsigned and must use the secret path
    #[arg(long)]
    unsigned: bool,
    /// Accept only this app. May be repeated. Default: all apps
    #[arg(long = "app", value_name = "APP")]
    apps: Vec<String>,
    /// Separator (joiner) of the signed fields: empty or +
    #[arg(long, default_value = "", value_parser = one_of::<FieldSeparator>())]
    joiner: FieldSeparator,
    /// Transcoding template: a stream whose name is STREAM, an underscore and TEMPLATE is a rendition of STREAM. May be
    /// repeated
    #[arg(long = "rendition-template", value_name = "TEMPLATE")]
    rendition_templates: Vec<String>,
    /// Several encoders push one stream at the same time: a later push does not end an earlier one
    #[arg(long)]
    concurrent_pushes: bool,
    /// End a session without an end callback after it has been live this long, since its start or since an operator
    /// confirmed it; off: never. Default: as --close-unconfirmed-after of the service says
    #[arg(long, value_name = "DURATION|off")]
    close_unconfirmed_after: Option<CloseRule>,
}

#[derive(Debug, Args)]
pub(super) struct AddKey {
    #[command(flatten)]
    one: OneDomain,
    /// Read the key from standard input, as set at the provider. Default: generate a key
    #[arg(long)]
    key_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct RemoveKey {
    #[command(flatten)]
    one: OneDomain,
    /// ID of the key, as printed by `domain show`
    key_id: Uuid,
}

impl From<SettingsOptions> for DomainSettings {
    fn from(options: SettingsOptions) -> Self {
        Self {
            signature: if options.unsigned { SignatureRule::None } else { SignatureRule::Required },
            apps: (!options.apps.is_empty()).then_some(options.apps),
            joiner: options.joiner,
            rendition_templates: options.rendition_templates,
            concurrent_pushes: options.concurrent_pushes,
            close_unconfirmed_after: options.close_unconfirmed_after.unwrap_or_default(),
        }
    }
}

impl DomainCommand {
    /// # Errors
    /// The database is unusable, or the request is invalid.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(AddDomain { one, settings, key_stdin }) => {
                let key = if key_stdin { Some(secret_from_stdin()?) } else { None };
                with_installation(&one.installation, CREATE, async |on| {
                    add(on, &one.domain, settings.into(), key).await
                })
                .await
            }
            Self::Set(SetDomain { one, settings }) => {
                with_installation(&one.installation, Access::Change, async |on| {
                    get(on, &one.domain).await?;
                    let (row, _) =
                        admin::put_domain(&on.pool, &on.actor, &one.domain, settings.into(), clock::now()).await?;
                    print_domain(&row, &[])?;
                    say_what_a_retry_admits(on, &one.domain).await
                })
                .await
            }
            Self::List(ListDomains { installation, output }) => {
                with_installation(&installation, Access::Read, async |on| list(on, output.output).await).await
            }
            Self::Show(ShowDomain { one, output }) => {
                with_installation(&one.installation, Access::Read, async |on| {
                    show(on, &one.domain, output.output).await
                })
                .await
            }
            Self::Remove(one) => {
                with_installation(&one.installation, Access::Change, async |on| {
                    get(on, &one.domain).await?;
                    admin::remove_domain(&on.pool, &on.actor, &one.domain, clock::now()).await?;
                    Ok(say!("callbacks of {} are no longer accepted; its history stays", one.domain)?)
                })
                .await
            }
            Self::Key(command) => command.run().await,
            Self::CallbackToken(one) => {
                with_installation(&one.installation, Access::Change, async |on| print_new_path(on, &one.domain).await)
                    .await
            }
        }
    }
}

impl KeyCommand {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(AddKey { one, key_stdin }) => {
                let key = if key_stdin { Some(secret_from_stdin()?) } else { None };
                with_installation(&one.installation, Access::Change, async |on| {
                    print_new_key(on, &one.domain, key).await
                })
                .await
            }
            Self::Remove(RemoveKey { one, key_id }) => {
                with_installation(&one.installation, Access::Change, async |on| {
                    get(on, &one.domain).await?;
                    match admin::remove_key(&on.pool, &on.actor, &one.domain, key_id, clock::now()).await {
                        Err(AdminError::NotFound(_)) => {
                            bail!("key not found; `domain show {domain}` lists the keys", domain = one.domain)
                        }
                        removed => removed?,
                    }
                    Ok(say!("callbacks signed with {key_id} are rejected from now on")?)
                })
                .await
            }
        }
    }
}

async fn get(on: &CommandContext, domain: &str) -> anyhow::Result<DomainRow> {
    match store::domain::get_domain(&on.pool, domain).await? {
        Some(row) => Ok(row),
        None => fail_unknown_domain(on, domain).await,
    }
}

/// Minimum similarity of a suggested name.
const MIN_SIMILARITY: f64 = 0.85;

/// # Errors
/// Always: the domain is not registered. Suggests a similar name.
pub(super) async fn fail_unknown_domain<T>(on: &CommandContext, domain: &str) -> anyhow::Result<T> {
    let rows = store::domain::list_domains(&on.pool).await?;
    let similarity = |row: &DomainRow| strsim::jaro_winkler(&row.domain.to_lowercase(), &domain.to_lowercase());
    let likely = rows
        .into_iter()
        .map(|row| (similarity(&row), row.domain))
        .filter(|(similarity, _)| *similarity > MIN_SIMILARITY);
    match likely.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((_, meant)) => bail!("{domain} is not registered; did you mean {meant}? `domain list` shows all domains"),
        None => bail!("{domain} is not registered; `domain list` shows all domains, `domain add` registers one"),
    }
}

async fn add(
    on: &CommandContext,
    domain: &str,
    settings: DomainSettings,
    key: Option<SecretString>,
) -> anyhow::Result<()> {
    if store::domain::get_domain(&on.pool, domain).await?.is_some() {
        bail!("{domain} is already registered; `domain set` changes it, `domain key add` adds a key");
    }
    if let Some(key) = &key {
        admin::check_key(key)?;
    }
    let unsigned = settings.signature == SignatureRule::None;
    admin::put_domain(&on.pool, &on.actor, domain, settings, clock::now()).await?;
    say!("{domain} is registered.")?;
    if unsigned {
        print_new_path(on, domain).await
    } else {
        say!("Callback URL to set at the provider: https://THIS-SERVICE/callbacks/huawei")?;
        print_new_key(on, domain, key).await
    }
}

async fn print_new_key(on: &CommandContext, domain: &str, key: Option<SecretString>) -> anyhow::Result<()> {
    let generated = key.is_none();
    get(on, domain).await?;
    let (row, key) = admin::add_key(&on.pool, &on.actor, &on.master_keys, domain, key, clock::now()).await?;
    say!("Key id: {}", row.key_id)?;
    if generated {
        say!("Key to set at the provider, shown this once: {}", key.expose_secret())?;
    }
    say_what_a_retry_admits(on, domain).await
}

async fn print_new_path(on: &CommandContext, domain: &str) -> anyhow::Result<()> {
    get(on, domain).await?;
    let token = admin::replace_callback_token(&on.pool, &on.actor, domain, clock::now()).await?;
    Ok(say!(
        "Callback URL to set at the provider, shown this once: https://THIS-SERVICE/callbacks/huawei/{}",
        token.expose_secret()
    )?)
}

async fn list(on: &CommandContext, output: Output) -> anyhow::Result<()> {
    let rows = store::domain::list_domains(&on.pool).await?;
    let keys = store::signing_key::list_signing_keys(&on.pool).await?;
    let none = rows.is_empty().then(|| "no domain is registered; `domain add NAME` registers one".to_owned());
    let mut printer = Printer::new(output, COLUMNS);
    for row in rows {
        printer.row(&serde_json::to_value(DomainView::new(row, &keys))?)?;
    }
    Ok(printer.finish(&json!({}), none.as_slice())?)
}

async fn show(on: &CommandContext, domain: &str, output: Output) -> anyhow::Result<()> {
    let row = get(on, domain).await?;
    let keys = store::signing_key::list_signing_keys(&on.pool).await?;
    match output {
        Output::Json => Ok(say!("{}", serde_json::to_string_pretty(&DomainView::new(row, &keys))?)?),
        Output::Table | Output::Csv => print_domain(&row, &keys),
    }
}

fn print_domain(row: &DomainRow, keys: &[SigningKeyRow]) -> anyhow::Result<()> {
    say!("domain               {}", row.domain)?;
    say!("signature            {}", row.signature)?;
    say!("apps                 {}", row.apps.as_ref().map_or("all".to_owned(), |apps| apps.join(", ")))?;
    let joiner = match row.joiner {
        FieldSeparator::Nothing => "nothing",
        FieldSeparator::Plus => "+",
    };
    say!("separator (joiner)   {joiner}")?;
    let templates = row.rendition_templates.join(", ");
    say!("rendition templates  {}", if templates.is_empty() { "none" } else { &templates })?;
    say!("concurrent pushes    {}", row.concurrent_pushes)?;
    let close_after = row.close_rule().text();
    say!("close unconfirmed    {}", close_after.as_deref().unwrap_or("as the service's setting says"))?;
    say!("secret path          {}", if row.callback_token_hash.is_some() { "set" } else { "none" })?;
    for key in keys.iter().filter(|key| key.domain == row.domain) {
        let time = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let last_used = key.last_used_at.map_or("not used yet".to_owned(), |at| format!("last used {}", time(at)));
        say!("key                  {} added {}, {last_used}", key.key_id, time(key.created_at))?;
    }
    Ok(())
}
