//! `sessions`, and `session`: pushes, and what operators say of them.

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Query;
use super::listing::{ConnectionOptions, Filters, List, ListOptions};
use super::output::{OneOutputOptions, Output, print_json, say};
use super::prompt::{YesOption, confirm};
use super::table::{self, Column, Row};
use super::times::{self, ZoneOption, read_local};
use crate::model::filter::SessionFilter;

/// List sessions: every push, live and past, newest start first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SessionsCommand {
    #[command(flatten)]
    filters: Filters<SessionFilter>,
    /// Oldest start first
    #[arg(long)]
    oldest_first: bool,
    #[command(flatten)]
    list: ListOptions,
}

const EXAMPLES: &str = "\
Examples:
  streamtally sessions --stream room1
  streamtally sessions --stream room1 --from 2026-11-22T20:00 --to 2026-11-22T22:00
  streamtally sessions -d push.example.com --unconfirmed --oldest-first";

pub(super) const SESSION_COLUMNS: [Column; 14] = [
    Column::time("started_at"),
    Column::duration("duration_seconds"),
    Column::status("status"),
    Column::flag("unconfirmed"),
    Column::new("ended_at_source").titled("ended by"),
    Column::new("domain"),
    Column::new("app"),
    Column::new("stream"),
    Column::new("flags"),
    Column::id("session_id").titled("session id"),
    Column::hidden("ended_at"),
    Column::hidden("publish_timestamp"),
    Column::hidden("stream_id"),
    Column::hidden("rendition_of/stream"),
];

const DETAILS: [Column; 20] = [
    Column::new("session_id"),
    Column::new("domain"),
    Column::new("app"),
    Column::new("stream"),
    Column::new("rendition_of/stream").titled("rendition of"),
    Column::status("status"),
    Column::flag("unconfirmed"),
    Column::time("started_at"),
    Column::time("ended_at"),
    Column::new("ended_at_source").titled("ended by"),
    Column::duration("duration_seconds"),
    Column::time("start_received_at"),
    Column::time("end_received_at"),
    Column::time("confirmed_at"),
    Column::time("last_listed_at"),
    Column::time("provider_ended_at"),
    Column::new("flags"),
    Column::new("client_ip"),
    Column::new("node_ip"),
    Column::new("user_args"),
];

pub(super) const EVENT_COLUMNS: [Column; 15] = [
    Column::time("received_at"),
    Column::new("event"),
    Column::status("disposition"),
    Column::new("reason"),
    Column::new("domain"),
    Column::new("app"),
    Column::new("stream"),
    Column::time("ended_at").titled("end"),
    Column::new("actor"),
    Column::new("note"),
    Column::id("event_id").titled("event id"),
    Column::hidden("session_id"),
    Column::hidden("publish_timestamp"),
    Column::hidden("recorded_at"),
    Column::hidden("released_at"),
];

impl SessionsCommand {
    /// # Errors
    /// The service answers with an error.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let query = self.filters.query(self.list.output.zone())?;
        let query = query.with("sort", self.oldest_first.then_some("started_at"));
        let list = List { path: "/v1/sessions", columns: &SESSION_COLUMNS, none: "no session matches" };
        self.list.print(&list, &query).await
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// Show a session and its events
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowSession),
    /// Set when a session ended, or withdraw that
    ///
    /// An operator's end overrides every other, also an end callback that arrives later. New reports count by it.
    #[command(after_help = END_EXAMPLES)]
    End(EndSession),
    /// Confirm that a session is still live
    ///
    /// The session then becomes unconfirmed, or times out, only when the time for that has passed again.
    #[command(after_help = CONFIRM_EXAMPLES)]
    Confirm(ConfirmSession),
}

const SHOW_EXAMPLES: &str = "\
Examples:
  streamtally session show 006b02de-614e-8b1b-aa37-49ddc9316417";

const END_EXAMPLES: &str = "\
Examples:
  streamtally session end 006b02de-614e-8b1b-aa37-49ddc9316417 --at 2026-11-22T20:00 --reason phone
  streamtally session end 006b02de-614e-8b1b-aa37-49ddc9316417 --withdraw --reason mistake";

const CONFIRM_EXAMPLES: &str = "\
Examples:
  streamtally session confirm 006b02de-614e-8b1b-aa37-49ddc9316417 --reason \"still sending\"";

#[derive(Debug, Args)]
pub(super) struct OneSession {
    /// ID of the session, as printed by `sessions`
    #[arg(value_parser = session_id)]
    session_id: Uuid,
    #[command(flatten)]
    zone: ZoneOption,
    #[command(flatten)]
    output: OneOutputOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
}

#[derive(Debug, Args)]
pub(super) struct ShowSession {
    #[command(flatten)]
    one: OneSession,
}

#[derive(Debug, Args)]
pub(super) struct EndSession {
    #[command(flatten)]
    one: OneSession,
    /// The end: a time with an offset, or one by the clock of the time zone
    #[arg(long, value_name = "TIME", required_unless_present = "withdraw")]
    at: Option<String>,
    /// Withdraw the end that an operator has set
    #[arg(long, conflicts_with = "at")]
    withdraw: bool,
    /// Your reason, stored with the event
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    yes: YesOption,
}

#[derive(Debug, Args)]
pub(super) struct ConfirmSession {
    #[command(flatten)]
    one: OneSession,
    /// Your reason, stored with the event
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl SessionCommand {
    /// # Errors
    /// The service answers with an error.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Show(command) => command.run().await,
            Self::End(command) => command.run().await,
            Self::Confirm(ConfirmSession { one, reason }) => one.act("confirm", &json!({ "reason": reason })).await,
        }
    }
}

impl ShowSession {
    async fn run(self) -> anyhow::Result<()> {
        let client = self.one.connection.connect()?;
        let path = self.one.path("");
        let session = client.get(&path, &Query::default()).await?;
        if self.one.output.output == Output::Json {
            return print_json(&session);
        }
        let zone = self.one.zone.zone();
        let session: Row = serde_json::from_value(session)?;
        say!("{}\n", table::render_one(&DETAILS, &session, zone))?;
        let events = client.rows(&self.one.path("/events"), &Query::default(), usize::MAX).await?;
        let events: Vec<Row> = events.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
        // The names are those of the session.
        let is_own = |column: &&Column| !["domain", "app", "stream"].contains(&column.name);
        let columns: Vec<Column> = EVENT_COLUMNS.iter().filter(is_own).copied().collect();
        Ok(say!("{}", table::render(&columns, &events, None, zone))?)
    }
}

impl EndSession {
    async fn run(self) -> anyhow::Result<()> {
        let zone = self.one.zone.zone();
        let at = self.at.as_deref().map(|at| read_local("--at", at, zone)).transpose()?;
        let session_id = self.one.session_id;
        let question = match at {
            Some(at) => {
                let local = at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z");
                format!("Set the end of {session_id} to {local} ({})?", times::utc(at))
            }
            None => format!("Withdraw the end that an operator has set for {session_id}?"),
        };
        confirm(&question, self.yes)?;
        self.one.act("end", &json!({ "ended_at": at, "reason": self.reason })).await
    }
}

fn session_id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "write an ID as `sessions` prints it".to_owned())
}

impl OneSession {
    fn path(&self, below: &str) -> String {
        format!("/v1/sessions/{}{below}", self.session_id)
    }

    /// Appends an operator's event, and prints it.
    async fn act(&self, act: &str, body: &Value) -> anyhow::Result<()> {
        let client = self.connection.connect()?;
        let event = client.post(&self.path(&format!("/{act}")), body).await?;
        if self.output.output == Output::Json {
            return print_json(&event);
        }
        let word = event.get("event").and_then(Value::as_str).context("the answer has no event")?;
        Ok(say!("{} is recorded for {}", table::escape(word), self.session_id)?)
    }
}
