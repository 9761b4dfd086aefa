//! `webhook`: creates, lists, tests, enables, disables and removes webhooks.

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::database::{Access, CommandContext, with_installation};
use super::domain::reject_unknown_domain;
use super::output::{OneOutputOptions, Output, OutputOptions, Printer, print_json, say};
use super::prompt::{YesOption, confirm};
use super::suggestion::{Named, pick};
use super::table::Column;
use super::{BadUsage, moment, one_of};
use crate::config::{InstallationOptions, WebhookOptions};
use crate::delivery::admin::{BeginAt, WebhookAdmin, WebhookSettings};
use crate::delivery::feed::Selection;
use crate::delivery::lag::{self, WebhookStatus};
use crate::delivery::replay::{Replay, ReplayOf};
use crate::delivery::test::test_webhook;
use crate::delivery::transport::Transport;
use crate::http::webhooks::WebhookTestResult;
use crate::http::webhooks::deliveries::DeliveryView;
use crate::http::webhooks::settings::WebhookView;
use crate::model::duration;
use crate::model::session::Renditions;
use crate::model::webhook::{DeliveryState, WebhookEventType, WebhookKind, WebhookState};
use crate::platform::clock;
use crate::store;
use crate::store::webhook::WebhookRow;

#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// Create a webhook and print its secret once
    ///
    /// Events are sent to the URL from now on, signed by Standard Webhooks 1.0. With --relay, the provider's callbacks of the
    /// domains are sent instead, byte for byte.
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddWebhook),
    /// List all webhooks, without their secrets
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List(ListWebhooks),
    /// List what a webhook has sent, and what its receiver rejected
    #[command(after_help = DELIVERIES_EXAMPLES)]
    Deliveries(ListDeliveries),
    /// Send events again: those of a period, of a session, or single deliveries
    ///
    /// They have the same IDs as before, and a header webhook-replay. Count with --dry-run first.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayEvents),
    /// Send a test event once, and print what the receiver answers
    #[command(after_help = TEST_EXAMPLES)]
    Test(NamedWebhook),
    /// Send events again, after the last one that was sent
    #[command(after_help = ENABLE_EXAMPLES)]
    Enable(NamedWebhook),
    /// Send no events until the webhook is enabled again
    #[command(after_help = DISABLE_EXAMPLES)]
    Disable(NamedWebhook),
    /// Replace the secret and print the new one once
    #[command(after_help = SECRET_EXAMPLES)]
    Secret(ReplaceSecret),
    /// Remove a webhook. What it has not sent is never sent
    #[command(visible_alias = "rm", after_help = REMOVE_EXAMPLES)]
    Remove(RemoveWebhook),
}

const ADD_EXAMPLES: &str = "\
Examples:
  streamtally webhook add recorder https://recorder.example.com/streams --type session.started
  streamtally webhook add cms https://cms.example.com/ --relay --domain push.example.com";

const LIST_EXAMPLES: &str = "\
Examples:
  streamtally webhook list
  streamtally webhook list --output json";

const DELIVERIES_EXAMPLES: &str = "\
Examples:
  streamtally webhook deliveries recorder
  streamtally webhook deliveries recorder --state dead --output csv";

const REPLAY_EXAMPLES: &str = "\
Examples:
  streamtally webhook replay recorder --from 2026-11-22T12:00:00Z --dry-run
  streamtally webhook replay recorder --session 006b02de-614e-8b1b-aa37-49ddc9316417
  streamtally webhook replay recorder --from 2026-11-22T00:00:00Z --only-failed";

const TEST_EXAMPLES: &str = "\
Examples:
  streamtally webhook test recorder";

const ENABLE_EXAMPLES: &str = "\
Examples:
  streamtally webhook enable recorder";

const DISABLE_EXAMPLES: &str = "\
Examples:
  streamtally webhook disable recorder";

const SECRET_EXAMPLES: &str = "\
Examples:
  streamtally webhook secret recorder
  streamtally webhook secret recorder --overlap 0s";

const REMOVE_EXAMPLES: &str = "\
Examples:
  streamtally webhook remove recorder";

const COLUMNS: [Column; 9] = [
    Column::id("name"),
    Column::new("kind"),
    Column::new("url"),
    Column::new("event_types").or("all"),
    Column::new("domains").or("all"),
    Column::status("state"),
    Column::time("last_success_at").or("never"),
    Column::time("oldest_unsent_at").or("none"),
    Column::new("last_error"),
];

const DELIVERY_COLUMNS: [Column; 7] = [
    Column::id("delivery_id").titled("delivery id"),
    Column::new("event_type"),
    Column::status("state"),
    Column::new("attempts"),
    Column::time("last_attempt_at"),
    Column::time("next_attempt_at"),
    Column::new("last_error"),
];

#[derive(Debug, Args)]
pub(super) struct AddWebhook {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    webhooks: WebhookOptions,
    /// Name of the webhook: its purpose or owner
    name: String,
    /// Where events are sent
    url: String,
    /// Send only events of this type. May be repeated. Default: all types
    #[arg(long = "type", value_name = "TYPE", value_parser = one_of::<WebhookEventType>())]
    event_types: Vec<WebhookEventType>,
    /// Send only what concerns this domain. May be repeated. Default: all domains
    #[arg(long = "domain", short, value_name = "DOMAIN")]
    domains: Vec<String>,
    /// Send only sessions of this app. May be repeated. Default: all apps
    #[arg(long = "app", value_name = "APP")]
    apps: Vec<String>,
    /// Whether to send sessions of transcoded renditions
    #[arg(long, default_value = "include", value_parser = one_of::<Renditions>())]
    renditions: Renditions,
    /// Send addresses and user_args, too
    #[arg(long)]
    personal: bool,
    /// Relay the provider's callbacks of the domains, instead of events
    #[arg(long, requires = "domains", conflicts_with_all = ["event_types", "apps", "personal"])]
    relay: bool,
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct ListWebhooks {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct ListDeliveries {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    output: OutputOptions,
    /// Name or ID of the webhook, or how its ID begins
    name: String,
    /// Only deliveries in this state
    #[arg(long, value_parser = one_of::<DeliveryState>())]
    state: Option<DeliveryState>,
    /// The most deliveries, the last attempted first
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
}

#[derive(Debug, Args)]
pub(super) struct NamedWebhook {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    webhooks: WebhookOptions,
    /// Name or ID of the webhook, or how its ID begins
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct RemoveWebhook {
    #[command(flatten)]
    webhook: NamedWebhook,
    #[command(flatten)]
    yes: YesOption,
}

#[derive(Debug, Args)]
pub(super) struct ReplaceSecret {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    webhooks: WebhookOptions,
    /// Name or ID of the webhook, or how its ID begins
    name: String,
    /// For how long the secret before signs, too; at most 7 days
    #[arg(long, default_value = "24h", value_parser = duration::read, value_name = "DURATION")]
    overlap: TimeDelta,
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct ReplayEvents {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    webhooks: WebhookOptions,
    /// Name or ID of the webhook, or how its ID begins
    name: String,
    /// Events recorded since then, an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = moment, required_unless_present_any = ["session", "deliveries"])]
    from: Option<DateTime<Utc>>,
    /// Events recorded before then, an RFC 3339 time. Default: now
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "from")]
    to: Option<DateTime<Utc>>,
    /// Events of this session
    #[arg(long, value_name = "SESSION_ID", conflicts_with = "from")]
    session: Option<Uuid>,
    /// This delivery. May be repeated
    #[arg(long = "delivery", value_name = "DELIVERY_ID", conflicts_with_all = ["from", "session"])]
    deliveries: Vec<Uuid>,
    /// Only what the receiver has not accepted
    #[arg(long)]
    only_failed: bool,
    /// Only count the events
    #[arg(long)]
    dry_run: bool,
}

impl ReplayEvents {
    async fn run(self) -> anyhow::Result<()> {
        let now = clock::now();
        let what = match (self.from, self.session) {
            (Some(from), _) => ReplayOf::Period { from, to: self.to.unwrap_or(now) },
            (None, Some(session_id)) => ReplayOf::Session(session_id),
            (None, None) => ReplayOf::Deliveries(self.deliveries),
        };
        if matches!(what, ReplayOf::Period { from, to } if from >= to) {
            bail!(BadUsage("--to must be later than --from".to_owned()));
        }
        let replay = Replay { what, only_failed: self.only_failed };
        let access = if self.dry_run { Access::Read } else { Access::Change };
        with_installation(&self.installation, access, async |on| {
            let webhook_id = find(on, &self.name).await?.webhook_id;
            let transport = transport(on, &self.webhooks).await?;
            let admin = admin(on, &transport);
            if self.dry_run {
                let events = admin.count_replay(webhook_id, &replay).await?;
                return Ok(say!("{events} events would be sent again")?);
            }
            let events = admin.replay(&on.actor, webhook_id, &replay, now).await?;
            Ok(say!("{events} events are sent again")?)
        })
        .await
    }
}

impl WebhookCommand {
    /// # Errors
    /// The database is unusable, or the request is invalid.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(command) => command.run().await,
            Self::List(ListWebhooks { installation, output }) => {
                with_installation(&installation, Access::Read, async |on| list(on, &output).await).await
            }
            Self::Deliveries(command) => command.run().await,
            Self::Replay(command) => command.run().await,
            Self::Test(command) => command.test().await,
            Self::Enable(command) => command.set_state(WebhookState::Enabled).await,
            Self::Disable(command) => command.set_state(WebhookState::Disabled).await,
            Self::Secret(command) => command.run().await,
            Self::Remove(command) => command.run().await,
        }
    }
}

impl AddWebhook {
    async fn run(self) -> anyhow::Result<()> {
        let all_if_empty = |names: Vec<String>| (!names.is_empty()).then_some(names);
        let settings = WebhookSettings {
            name: self.name,
            kind: if self.relay { WebhookKind::Relay } else { WebhookKind::Events },
            url: self.url,
            selection: Selection {
                event_types: (!self.event_types.is_empty()).then_some(self.event_types),
                domains: all_if_empty(self.domains),
                apps: all_if_empty(self.apps),
                renditions: self.renditions,
                personal: self.personal,
            },
            headers: None,
            state: WebhookState::Enabled,
        };
        with_installation(&self.installation, Access::Change, async |on| {
            for domain in settings.selection.domains.iter().flatten() {
                reject_unknown_domain(on, domain).await?;
            }
            let transport = transport(on, &self.webhooks).await?;
            let created = admin(on, &transport).create(&on.actor, settings, BeginAt::Now, clock::now()).await?;
            let (row, secret) = created;
            if self.output.output == Output::Json {
                let view = WebhookView::from(WebhookStatus { row, oldest_unsent_at: None });
                let mut view: Map<String, Value> = serde_json::from_value(serde_json::to_value(view)?)?;
                view.insert("secret".to_owned(), secret.expose_secret().into());
                return print_json(&view);
            }
            say!("{} is created; events are sent from now on.", row.name)?;
            Ok(say!("Secret, shown this once: {}", secret.expose_secret())?)
        })
        .await
    }
}

impl ListDeliveries {
    async fn run(self) -> anyhow::Result<()> {
        with_installation(&self.installation, Access::Read, async |on| {
            let WebhookRow { webhook_id, .. } = find(on, &self.name).await?;
            let limit = i64::from(self.limit);
            let rows =
                store::webhook_delivery::list_deliveries(&on.pool, webhook_id, self.state, None, None, limit).await?;
            let none = rows.is_empty().then(|| "there are no such deliveries".to_owned());
            let mut printer = Printer::new(self.output.format(), DELIVERY_COLUMNS);
            for row in rows {
                printer.row(&serde_json::to_value(DeliveryView::from(row))?)?;
            }
            Ok(printer.finish(&json!({}), none.as_slice())?)
        })
        .await
    }
}

impl NamedWebhook {
    async fn test(self) -> anyhow::Result<()> {
        with_installation(&self.installation, Access::Read, async |on| {
            let row = find(on, &self.name).await?;
            let transport = transport(on, &self.webhooks).await?;
            let attempt = test_webhook(&on.pool, &on.master_keys, &transport, row, clock::now()).await?;
            let result = WebhookTestResult::from(attempt);
            say!("{}", serde_json::to_string_pretty(&result)?)?;
            anyhow::ensure!(result.delivered(), "the receiver did not accept the test event");
            Ok(())
        })
        .await
    }

    async fn set_state(self, state: WebhookState) -> anyhow::Result<()> {
        with_installation(&self.installation, Access::Change, async |on| {
            let row = find(on, &self.name).await?;
            let transport = transport(on, &self.webhooks).await?;
            let webhook_id = row.webhook_id;
            let settings = WebhookSettings { state, ..WebhookSettings::of(row) };
            admin(on, &transport).change(&on.actor, webhook_id, settings, BeginAt::Last, clock::now()).await?;
            Ok(say!("{} is {state}", self.name)?)
        })
        .await
    }
}

impl RemoveWebhook {
    async fn run(self) -> anyhow::Result<()> {
        let Self { webhook: NamedWebhook { installation, webhooks, name }, yes } = self;
        with_installation(&installation, Access::Change, async |on| {
            let row = find(on, &name).await?;
            confirm(&format!("Remove {}? What it has not sent is never sent.", row.name), yes)?;
            let transport = transport(on, &webhooks).await?;
            admin(on, &transport).remove(&on.actor, row.webhook_id, clock::now()).await?;
            Ok(say!("{} is removed", row.name)?)
        })
        .await
    }
}

impl ReplaceSecret {
    async fn run(self) -> anyhow::Result<()> {
        with_installation(&self.installation, Access::Change, async |on| {
            let row = find(on, &self.name).await?;
            let transport = transport(on, &self.webhooks).await?;
            let secret =
                admin(on, &transport).replace_secret(&on.actor, row.webhook_id, self.overlap, clock::now()).await?;
            if self.output.output == Output::Json {
                return print_json(&json!({ "secret": secret.expose_secret() }));
            }
            Ok(say!("Secret, shown this once: {}", secret.expose_secret())?)
        })
        .await
    }
}

async fn list(on: &CommandContext, output: &OutputOptions) -> anyhow::Result<()> {
    let statuses = lag::list_statuses(&on.pool).await?;
    let none = statuses.is_empty().then(|| "there are no webhooks; `webhook add NAME URL` creates one".to_owned());
    let mut printer = Printer::new(output.format(), COLUMNS);
    for status in statuses {
        printer.row(&serde_json::to_value(WebhookView::from(status))?)?;
    }
    Ok(printer.finish(&json!({}), none.as_slice())?)
}

async fn find(on: &CommandContext, given: &str) -> anyhow::Result<WebhookRow> {
    let rows = store::webhook::list_webhooks(&on.pool).await?;
    let candidates: Vec<_> = rows.iter().map(|row| Named { id: row.webhook_id, name: &row.name }).collect();
    let id = pick(given, &candidates, "webhook", "webhook list")?;
    rows.into_iter().find(|row| row.webhook_id == id).context("webhook not found")
}

async fn transport(on: &CommandContext, options: &WebhookOptions) -> anyhow::Result<Transport> {
    let installation = store::installation::get_installation(&on.pool).await?.ok_or(sqlx::Error::RowNotFound)?;
    options.transport(installation.installation_id)
}

fn admin<'a>(on: &'a CommandContext, transport: &'a Transport) -> WebhookAdmin<'a> {
    WebhookAdmin { pool: &on.pool, master_keys: &on.master_keys, transport }
}
