//! `provider`: accounts with which the provider's own lists are read.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::BadUsage;
use super::database::{Access, CommandContext, with_installation};
use super::domain::fail_unknown_domain;
use super::output::{OneOutputOptions, Output, OutputOptions, Printer, print_json, say};
use super::prompt::{YesOption, confirm, read_secret};
use super::suggestion::{Named, pick};
use super::table::Column;
use crate::config::{InstallationOptions, PollOptions, WebhookOptions};
use crate::http::provider_accounts::{AccountView, ProviderCheckView};
use crate::platform::clock;
use crate::polling::admin::{AccessKeys, AccountAdmin, AccountSettings};
use crate::polling::check::check_domain;
use crate::polling::client::{AccessKey, ProviderClient};
use crate::store;
use crate::store::provider_account::ProviderAccountRow;

#[derive(Debug, Subcommand)]
pub(super) enum ProviderCommand {
    /// Add an account; its secret key is typed, or read from standard input
    ///
    /// The access key needs two permissions to read lists, live:stream:listLiveStreamsOnline and
    /// live:statistics:listHistoryStreams, and for the check live:domain:getStreamNotifications. Give it no others.
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddAccount),
    /// List all accounts, without their secret keys
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List(ListAccounts),
    /// Change an account; what is not named stays
    #[command(after_help = SET_EXAMPLES)]
    Set(SetAccount),
    /// Remove an account that no domain has
    #[command(visible_alias = "rm", after_help = REMOVE_EXAMPLES)]
    Remove(RemoveAccount),
    /// Compare the callback URL and key that are set at the provider with those here
    ///
    /// Shows neither key, and changes nothing. This command does not know by which name the provider reaches the service: it
    /// compares the path of the URL and shows the host.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckDomain),
}

const ADD_EXAMPLES: &str = "\
Examples:
  streamtally provider add main --endpoint \"$URL\" --project-id \"$ID\" --access-key \"$AK\"
  streamtally provider add main --endpoint \"$URL\" --project-id \"$ID\" --access-key \"$AK\" <sk.txt";

const LIST_EXAMPLES: &str = "\
Examples:
  streamtally provider list
  streamtally provider list --output json";

const SET_EXAMPLES: &str = "\
Examples:
  streamtally provider set main --access-key AKIDEXAMPLE0000000AK   asks for its secret key
  streamtally provider set main --name beijing";

const REMOVE_EXAMPLES: &str = "\
Examples:
  streamtally provider remove main";

const CHECK_EXAMPLES: &str = "\
Examples:
  streamtally provider check push.example.com
  streamtally provider check push.example.com --output json | jq .callback_key";

const COLUMNS: [Column; 6] = [
    Column::id("name"),
    Column::new("endpoint"),
    Column::new("project_id").titled("project id"),
    Column::new("access_key_ending").titled("access key ends in"),
    Column::new("domains").or("none"),
    Column::time("updated_at"),
];

/// What requests to the provider need.
#[derive(Debug, Args)]
struct ClientOptions {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    webhooks: WebhookOptions,
    #[command(flatten)]
    polling: PollOptions,
}

#[derive(Debug, Args)]
pub(super) struct AddAccount {
    #[command(flatten)]
    options: ClientOptions,
    /// Name of the account
    name: String,
    /// Base URL of the provider's API in the region of the domains, such as `https://live.cn-north-4.myhuaweicloud.com`
    #[arg(long, value_name = "URL")]
    endpoint: String,
    /// ID of the project that the domains belong to
    #[arg(long, value_name = "ID")]
    project_id: String,
    /// Access key (AK)
    #[arg(long, value_name = "KEY")]
    access_key: AccessKey,
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct ListAccounts {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct SetAccount {
    #[command(flatten)]
    options: ClientOptions,
    /// Name or ID of the account, or how its ID begins
    #[arg(value_name = "NAME")]
    account: String,
    /// New name
    #[arg(long = "name", value_name = "NEW_NAME")]
    new_name: Option<String>,
    /// Base URL of the provider's API; another one needs --access-key
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// ID of the project
    #[arg(long, value_name = "ID")]
    project_id: Option<String>,
    /// Another access key (AK); its secret key is typed, or read from standard input
    #[arg(long, value_name = "KEY")]
    access_key: Option<AccessKey>,
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct RemoveAccount {
    #[command(flatten)]
    options: ClientOptions,
    /// Name or ID of the account, or how its ID begins
    name: String,
    #[command(flatten)]
    yes: YesOption,
}

#[derive(Debug, Args)]
pub(super) struct CheckDomain {
    #[command(flatten)]
    options: ClientOptions,
    /// Name of the domain
    domain: String,
    #[command(flatten)]
    output: OneOutputOptions,
}

impl ProviderCommand {
    /// # Errors
    /// The database is unusable, or the request is invalid.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(command) => command.run().await,
            Self::List(ListAccounts { installation, output }) => {
                with_installation(&installation, Access::Read, async |on| list(on, &output).await).await
            }
            Self::Set(command) => command.run().await,
            Self::Remove(command) => command.run().await,
            Self::Check(command) => command.run().await,
        }
    }
}

impl ClientOptions {
    fn client(&self) -> anyhow::Result<ProviderClient> {
        self.polling.client(&self.webhooks)
    }
}

impl AddAccount {
    async fn run(self) -> anyhow::Result<()> {
        let Self { options, name, endpoint, project_id, access_key, output } = self;
        let keys = Some(AccessKeys { access_key, secret_key: read_secret("secret key")? });
        let settings = AccountSettings { name, endpoint, project_id, keys };
        with_installation(&options.installation, Access::Change, async |on| {
            let client = options.client()?;
            let row = admin(on, &client).create(&on.actor, settings, clock::now()).await?;
            if output.output == Output::Json {
                return print_json(&AccountView::new(row, &[]));
            }
            say!("{} is added; its secret key is stored encrypted.", row.name)?;
            Ok(say!("Use it for a domain: streamtally domain set DOMAIN --provider-account {:?}", row.name)?)
        })
        .await
    }
}

impl SetAccount {
    async fn run(self) -> anyhow::Result<()> {
        let Self { options, account, new_name, endpoint, project_id, access_key, output } = self;
        if [&new_name, &endpoint, &project_id].into_iter().all(Option::is_none) && access_key.is_none() {
            bail!(BadUsage("name a setting to change".to_owned()));
        }
        let keys = match access_key {
            Some(access_key) => Some(AccessKeys { access_key, secret_key: read_secret("secret key")? }),
            None => None,
        };
        with_installation(&options.installation, Access::Change, async |on| {
            let row = find(on, &account).await?;
            let before = AccountSettings::of(&row);
            let settings = AccountSettings {
                name: new_name.unwrap_or(before.name),
                endpoint: endpoint.unwrap_or(before.endpoint),
                project_id: project_id.unwrap_or(before.project_id),
                keys,
            };
            let client = options.client()?;
            let row = admin(on, &client).change(&on.actor, row.account_id, settings, clock::now()).await?;
            if output.output == Output::Json {
                let domains = store::provider_account::list_account_domains(&on.pool).await?;
                return print_json(&AccountView::new(row, &domains));
            }
            Ok(say!("{} is changed", row.name)?)
        })
        .await
    }
}

impl RemoveAccount {
    async fn run(self) -> anyhow::Result<()> {
        let Self { options, name, yes } = self;
        with_installation(&options.installation, Access::Change, async |on| {
            let row = find(on, &name).await?;
            confirm(&format!("Remove {} and delete its keys?", row.name), yes)?;
            let client = options.client()?;
            admin(on, &client).remove(&on.actor, row.account_id, clock::now()).await?;
            Ok(say!("{} is removed", row.name)?)
        })
        .await
    }
}

impl CheckDomain {
    async fn run(self) -> anyhow::Result<()> {
        let Self { options, domain, output } = self;
        with_installation(&options.installation, Access::Read, async |on| {
            if store::domain::get_domain(&on.pool, &domain).await?.is_none() {
                return fail_unknown_domain(on, &domain).await;
            }
            let client = options.client()?;
            let check = check_domain(&on.pool, &on.master_keys, &client, &domain, None, clock::now()).await?;
            let view = ProviderCheckView::from(check);
            if output.output == Output::Json {
                return print_json(&view);
            }
            for (name, value) in view.lines() {
                say!("{name:<19}  {value}")?;
            }
            Ok(())
        })
        .await
    }
}

async fn list(on: &CommandContext, output: &OutputOptions) -> anyhow::Result<()> {
    let rows = store::provider_account::list_provider_accounts(&on.pool).await?;
    let domains = store::provider_account::list_account_domains(&on.pool).await?;
    let none = rows.is_empty().then(|| "there are no provider accounts; `provider add NAME` adds one".to_owned());
    let mut printer = Printer::new(output.format(), COLUMNS);
    for row in rows {
        printer.row(&serde_json::to_value(AccountView::new(row, &domains))?)?;
    }
    Ok(printer.finish(&json!({}), none.as_slice())?)
}

/// The account that is named, by its name or ID, or by how its ID begins.
pub(super) async fn find(on: &CommandContext, given: &str) -> anyhow::Result<ProviderAccountRow> {
    let rows = store::provider_account::list_provider_accounts(&on.pool).await?;
    let candidates: Vec<_> = rows.iter().map(|row| Named { id: row.account_id, name: &row.name }).collect();
    let id = pick(given, &candidates, "provider account", "provider list")?;
    rows.into_iter().find(|row| row.account_id == id).context("provider account not found")
}

fn admin<'a>(on: &'a CommandContext, client: &'a ProviderClient) -> AccountAdmin<'a> {
    AccountAdmin { pool: &on.pool, master_keys: &on.master_keys, client }
}
