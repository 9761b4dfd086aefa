//! `events`: the event log, and what operators do with its events.

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::database::{Access, CommandContext, with_installation};
use super::domain::fail_unknown_domain;
use super::listing::{Filters, List, ListOptions};
use super::output::say;
use super::sessions::EVENT_COLUMNS;
use super::{BadUsage, one_of};
use crate::config::InstallationOptions;
use crate::event_log::release::{self, BulkRelease};
use crate::http::operator_ends::check_note;
use crate::model::event::QuarantineReason;
use crate::model::filter::EventFilter;
use crate::platform::clock;
use crate::store;
use crate::store::release::ReleaseSelection;

/// List events of the log, newest first, and release quarantined ones
///
/// Callbacks that were accepted or quarantined, inferred ends, and operators' actions.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = LIST_EXAMPLES)]
pub(super) struct EventsCommand {
    #[command(subcommand)]
    command: Option<EventsSubcommand>,
    #[command(flatten)]
    filters: Filters<EventFilter>,
    #[command(flatten)]
    list: ListOptions,
}

const LIST_EXAMPLES: &str = "\
Examples:
  streamtally events -d push.example.com --disposition quarantined
  streamtally events --stream room1 --from 2026-11-22T20:00 -o json";

#[derive(Debug, Subcommand)]
enum EventsSubcommand {
    /// Release all callbacks of a domain that were quarantined for one reason
    ///
    /// Each then counts as if it had been accepted when it arrived. This cannot be undone: count with --dry-run first. If it is
    /// interrupted, run it again; what was released stays released, and is not released again.
    #[command(after_help = RELEASE_EXAMPLES)]
    Release(ReleaseEvents),
}

const RELEASE_EXAMPLES: &str = "\
Examples:
  streamtally events release --domain push.example.com --reason expired --dry-run
  streamtally events release --domain push.example.com --reason expired --note \"wrong clock\"
  streamtally events release --domain push.example.com --reason expired --from 2026-11-22T12:00:00Z";

#[derive(Debug, Args)]
struct ReleaseEvents {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Name of the domain
    #[arg(long, short)]
    domain: String,
    /// Why the callbacks were quarantined
    #[arg(long, value_parser = one_of::<QuarantineReason>())]
    reason: QuarantineReason,
    /// Only callbacks received since then, an RFC 3339 time. Default: since the first
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Only callbacks received before then, an RFC 3339 time. Default: now
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime<Utc>>,
    /// Your reason, stored with each release
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Only count the callbacks
    #[arg(long)]
    dry_run: bool,
}

impl EventsCommand {
    /// # Errors
    /// The database is unusable, or the request is invalid.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Some(EventsSubcommand::Release(command)) => command.run().await,
            None => {
                let query = self.filters.query(self.list.output.zone())?;
                let list = List { path: "/v1/events", columns: &EVENT_COLUMNS, none: "no event matches" };
                self.list.print(&list, &query).await
            }
        }
    }
}

impl ReleaseEvents {
    async fn run(self) -> anyhow::Result<()> {
        let now = clock::now();
        let from = self.from.unwrap_or(DateTime::UNIX_EPOCH);
        let to = self.to.unwrap_or(now);
        if from >= to {
            bail!(BadUsage("--to must be later than --from".to_owned()));
        }
        if self.note.as_deref().is_some_and(|note| check_note("note", note).is_err()) {
            bail!(BadUsage("--note must have at most 500 characters and no control characters".to_owned()));
        }
        let selection = ReleaseSelection { domain: self.domain, reason: self.reason, from, to };
        let access = if self.dry_run { Access::Read } else { Access::Change };
        with_installation(&self.installation, access, async |on| {
            let matching = release::count_selection(&on.pool, &selection).await?;
            if matching == 0 {
                return explain_none(on, &selection.domain).await;
            }
            if self.dry_run {
                return Ok(say!("{matching} callbacks would be released")?);
            }
            let request = BulkRelease { selection, note: self.note, limit: i64::MAX };
            let result = release::release_selection(&on.pool, &on.actor, request, now).await?;
            Ok(say!("{} callbacks are released", result.released)?)
        })
        .await
    }
}

/// The domain may be misspelled; or it was removed, and all its callbacks are released.
async fn explain_none(on: &CommandContext, domain: &str) -> anyhow::Result<()> {
    if store::domain::get_domain(&on.pool, domain).await?.is_none() {
        return fail_unknown_domain(on, domain).await;
    }
    Ok(say!("no callbacks wait to be released")?)
}
