//! `domain`: ingest domains, their keys and secret paths.

mod key;
mod known;
mod lists;
mod settings;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use self::key::{KeyCommand, add_key, say_key};
use self::lists::{DIFFERENCES_EXAMPLES, ListOfDomain, POLLS_EXAMPLES};
use self::settings::{ResetOptions, SettingsOptions};
use super::database::{Access, CREATE, CommandContext, with_installation};
use super::output::{OneOutputOptions, Output, OutputOptions, Printer, print_json, say};
use super::prompt::{YesOption, confirm};
use super::rejections::say_what_a_retry_admits;
use super::table::Column;
use super::{BadUsage, secret_from_stdin};
use crate::config::InstallationOptions;
use crate::http::domains::DomainView;
use crate::model::access::{FieldSeparator, SignatureRule};
use crate::platform::clock;
use crate::registry::admin::{self, DomainSettings};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

pub(super) use self::known::{fail_unknown_domain, reject_unknown_domain};

#[derive(Debug, Subcommand)]
pub(super) enum DomainCommand {
    /// Register a domain with a key or, unsigned, with a secret path, and print what to set at the provider
    ///
    /// Callbacks of unregistered domains are rejected. Every process accepts the domain within 2 seconds.
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddDomain),
    /// Change settings of a domain; those that are not named stay
    #[command(after_help = SET_EXAMPLES)]
    Set(SetDomain),
    /// List all domains
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List(ListDomains),
    /// Show a domain and the IDs of its keys
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowDomain),
    /// List where the provider's lists and its callbacks disagree, the last seen first
    ///
    /// Asks a running service. In poll mode `observe`, differences change nothing; in `repair`, those marked as
    /// repaired are corrected in the event log.
    #[command(after_help = DIFFERENCES_EXAMPLES)]
    Differences(Box<ListOfDomain>),
    /// List how the provider's list of live streams was read, newest first
    ///
    /// Asks a running service. The list is read every minute, unless the domain's poll mode is `off`.
    #[command(after_help = POLLS_EXAMPLES)]
    Polls(Box<ListOfDomain>),
    /// Stop accepting callbacks of a domain and delete its keys; its history stays
    #[command(visible_alias = "rm", after_help = REMOVE_EXAMPLES)]
    Remove(RemoveDomain),
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
    CallbackToken(ReplacePath),
}

const ADD_EXAMPLES: &str = "\
Examples:
  streamtally domain add push.example.com                        generate a key and print it once
  streamtally domain add push.example.com --key-stdin <key.txt   with the key set at the provider
  streamtally domain add push.example.com --unsigned             only through a secret path
  streamtally domain add push.example.com -o json | jq -r .key   for scripts";

const SET_EXAMPLES: &str = "\
Examples:
  streamtally domain set push.example.com --app live --app vod   accept only these two apps
  streamtally domain set push.example.com --close-unconfirmed-after 12h
  streamtally domain set push.example.com --poll-mode observe --provider-account main
  streamtally domain set push.example.com --reset=apps           accept all apps again
  streamtally domain set push.example.com --reset                restore all defaults";

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
  streamtally domain remove push.example.com
  streamtally domain remove push.example.com --yes               without a question";

const TOKEN_EXAMPLES: &str = "\
Examples:
  streamtally domain callback-token push.example.com";

/// Columns of tables and CSV; JSON has everything.
const COLUMNS: [Column; 6] = [
    Column::id("domain"),
    Column::new("signature"),
    Column::new("apps").or("all"),
    Column::new("has_callback_token").titled("secret path"),
    Column::new("keys").or("none"),
    Column::time("created_at"),
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
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct SetDomain {
    #[command(flatten)]
    one: OneDomain,
    #[command(flatten)]
    settings: SettingsOptions,
    #[command(flatten)]
    reset: ResetOptions,
}

#[derive(Debug, Args)]
pub(super) struct RemoveDomain {
    #[command(flatten)]
    one: OneDomain,
    #[command(flatten)]
    yes: YesOption,
}

#[derive(Debug, Args)]
pub(super) struct ReplacePath {
    #[command(flatten)]
    one: OneDomain,
    #[command(flatten)]
    output: OneOutputOptions,
    #[command(flatten)]
    yes: YesOption,
}

impl DomainCommand {
    /// # Errors
    /// The database is unusable, or the request is invalid.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(command) => command.run().await,
            Self::Set(command) => command.run().await,
            Self::List(ListDomains { installation, output }) => {
                with_installation(&installation, Access::Read, async |on| list(on, &output).await).await
            }
            Self::Show(ShowDomain { one, output }) => {
                with_installation(&one.installation, Access::Read, async |on| {
                    show(on, &one.domain, output.output).await
                })
                .await
            }
            Self::Differences(command) => command.list_differences().await,
            Self::Polls(command) => command.list_polls().await,
            Self::Remove(RemoveDomain { one, yes }) => {
                with_installation(&one.installation, Access::Change, async |on| {
                    get(on, &one.domain).await?;
                    confirm(&format!("Reject callbacks of {} from now on, and delete its keys?", one.domain), yes)?;
                    admin::remove_domain(&on.pool, &on.actor, &one.domain, clock::now()).await?;
                    Ok(say!("callbacks of {} are no longer accepted; its history stays", one.domain)?)
                })
                .await
            }
            Self::Key(command) => command.run().await,
            Self::CallbackToken(command) => command.run().await,
        }
    }
}

impl AddDomain {
    async fn run(self) -> anyhow::Result<()> {
        let Self { one, settings, key_stdin, output } = self;
        let key = if key_stdin { Some(secret_from_stdin()?) } else { None };
        with_installation(&one.installation, CREATE, async |on| {
            let settings = settings.apply_to(on, DomainSettings::default()).await?;
            add(on, &one.domain, settings, key, output.output).await
        })
        .await
    }
}

impl SetDomain {
    async fn run(self) -> anyhow::Result<()> {
        let Self { one, settings, reset } = self;
        if !settings.names_any() && !reset.names_any() {
            bail!(BadUsage("name a setting to change, or --reset to restore the defaults".to_owned()));
        }
        with_installation(&one.installation, Access::Change, async |on| {
            let before = DomainSettings::of(get(on, &one.domain).await?);
            let changed = settings.apply_to(on, reset.apply_to(before)).await?;
            let (row, _) = admin::put_domain(&on.pool, &on.actor, &one.domain, changed, clock::now()).await?;
            print_domain(on, &row, &[]).await?;
            say_what_a_retry_admits(on, &one.domain).await
        })
        .await
    }
}

impl ReplacePath {
    async fn run(self) -> anyhow::Result<()> {
        let Self { one, output, yes } = self;
        with_installation(&one.installation, Access::Change, async |on| {
            if get(on, &one.domain).await?.callback_token_hash.is_some() {
                confirm(&format!("Reject callbacks to the old secret path of {} from now on?", one.domain), yes)?;
            }
            let path = replace_path(on, &one.domain).await?;
            if output.output == Output::Json {
                return print_json(&json!({ "callback_path": path }));
            }
            say_path(&path)
        })
        .await
    }
}

async fn get(on: &CommandContext, domain: &str) -> anyhow::Result<DomainRow> {
    match store::domain::get_domain(&on.pool, domain).await? {
        Some(row) => Ok(row),
        None => fail_unknown_domain(on, domain).await,
    }
}

async fn add(
    on: &CommandContext,
    domain: &str,
    settings: DomainSettings,
    key: Option<SecretString>,
    output: Output,
) -> anyhow::Result<()> {
    if store::domain::get_domain(&on.pool, domain).await?.is_some() {
        bail!("{domain} is already registered; `domain set` changes it, `domain key add` adds a key");
    }
    if let Some(key) = &key {
        admin::check_key(key)?;
    }
    let unsigned = settings.signature == SignatureRule::None;
    admin::put_domain(&on.pool, &on.actor, domain, settings, clock::now()).await?;
    let added = if unsigned {
        Map::from_iter([("callback_path".to_owned(), replace_path(on, domain).await?.into())])
    } else {
        add_key(on, domain, key).await?
    };
    if output == Output::Json {
        let keys = store::signing_key::list_signing_keys(&on.pool).await?;
        let mut view: Map<String, Value> =
            serde_json::from_value(serde_json::to_value(DomainView::new(get(on, domain).await?, &keys))?)?;
        // The time is that of the domain.
        view.extend(added.into_iter().filter(|(name, _)| name != "created_at"));
        return print_json(&view);
    }
    say!("{domain} is registered.")?;
    if let Some(path) = added.get("callback_path").and_then(Value::as_str) {
        return say_path(path);
    }
    say!("Callback URL to set at the provider: https://THIS-SERVICE/callbacks/huawei")?;
    say_key(&added)?;
    say_what_a_retry_admits(on, domain).await
}

async fn replace_path(on: &CommandContext, domain: &str) -> anyhow::Result<String> {
    let token = admin::replace_callback_token(&on.pool, &on.actor, domain, clock::now()).await?;
    Ok(format!("/callbacks/huawei/{}", token.expose_secret()))
}

fn say_path(path: &str) -> anyhow::Result<()> {
    Ok(say!("Callback URL to set at the provider, shown this once: https://THIS-SERVICE{path}")?)
}

async fn list(on: &CommandContext, output: &OutputOptions) -> anyhow::Result<()> {
    let rows = store::domain::list_domains(&on.pool).await?;
    let keys = store::signing_key::list_signing_keys(&on.pool).await?;
    let none = rows.is_empty().then(|| "no domain is registered; `domain add NAME` registers one".to_owned());
    let mut printer = Printer::new(output.format(), COLUMNS);
    for row in rows {
        printer.row(&serde_json::to_value(DomainView::new(row, &keys))?)?;
    }
    Ok(printer.finish(&json!({}), none.as_slice())?)
}

async fn show(on: &CommandContext, domain: &str, output: Output) -> anyhow::Result<()> {
    let row = get(on, domain).await?;
    let keys = store::signing_key::list_signing_keys(&on.pool).await?;
    match output {
        Output::Json => print_json(&DomainView::new(row, &keys)),
        Output::Table | Output::Csv => print_domain(on, &row, &keys).await,
    }
}

async fn print_domain(on: &CommandContext, row: &DomainRow, keys: &[SigningKeyRow]) -> anyhow::Result<()> {
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
    say!("poll mode            {}", row.poll_mode)?;
    if let Some(account_id) = row.provider_account_id {
        let account = store::provider_account::get_provider_account(&on.pool, account_id).await?;
        say!("provider account     {}", account.map(|account| account.name).unwrap_or_default())?;
    }
    say!("secret path          {}", if row.callback_token_hash.is_some() { "set" } else { "none" })?;
    for key in keys.iter().filter(|key| key.domain == row.domain) {
        let time = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let last_used = key.last_used_at.map_or("not used yet".to_owned(), |at| format!("last used {}", time(at)));
        say!("key                  {} added {}, {last_used}", key.key_id, time(key.created_at))?;
    }
    Ok(())
}
