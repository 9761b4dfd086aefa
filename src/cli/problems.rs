//! `problems`: what is wrong, as the dashboard's page Problems has it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::client::domains::{is_forbidden, path_of, permitted};
use super::client::{Client, Query};
use super::listing::ConnectionOptions;
use super::output::{OutputOptions, Printer};
use super::table::{Column, escape};
use super::times;
use crate::huawei::advice;
use crate::model::closed_set;
use crate::model::event::QuarantineReason;
use crate::model::polling::{DifferenceKind, PollMode, PollOutcome};
use crate::model::rejection::RejectionReason;
use crate::platform::clock;
use crate::query::provider_lists::{COMPLETE_WITHIN, DIFFERENCES_PERIOD};

/// Rejected callbacks of this time are problems.
const REJECTIONS_SINCE: TimeDelta = TimeDelta::hours(24);

/// Readings of a list that reach back for longer than 10 minutes.
const MAX_POLLS: usize = 20;

/// The newest of each kind that are counted.
const MAX_ROWS: usize = 5_000;

/// Show what is wrong, and what to do
///
/// Parts of the service that are not ready, callbacks that were rejected in the last 24 hours, quarantined callbacks
/// that wait for an operator, and unconfirmed sessions. An administrator also sees webhooks whose receivers fail,
/// domains whose list at the provider is not read completely, and where the lists and the callbacks disagree.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ProblemsCommand {
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
}

const EXAMPLES: &str = "\
Examples:
  streamtally problems
  streamtally problems -o json";

const COLUMNS: [Column; 6] = [
    Column::status("problem"),
    Column::new("reason"),
    Column::new("domain"),
    Column::new("count"),
    Column::time("last_at"),
    Column::hidden("advice"),
];

closed_set! {
    /// A kind of problem, the worst first.
    pub enum ProblemKind {
        NotReady = "not ready",
        Rejected,
        Quarantined,
        Webhook,
        ListUnread = "list unread",
        MassAbsence = "mass absence",
        Unconfirmed,
        Difference,
    }
}

/// Callbacks or sessions with the same problem: the kind, the reason and the domain.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    problem: ProblemKind,
    reason: String,
    domain: Option<String>,
}

#[derive(Debug, Default)]
struct Found {
    count: i64,
    /// An RFC 3339 time in UTC, which sorts as a text.
    last_at: Option<String>,
}

#[derive(Debug, Default)]
struct Problems {
    groups: BTreeMap<Group, Found>,
    /// More than [`MAX_ROWS`] of a kind exist.
    is_cut: bool,
}

impl ProblemsCommand {
    /// # Errors
    /// The service answers with an error.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.connect()?;
        let mut problems = Problems::default();
        add_parts(&client, &mut problems).await?;
        add_rejections(&client, &mut problems).await?;
        add_quarantined(&client, &mut problems).await?;
        add_unconfirmed(&client, &mut problems).await?;
        add_webhooks(&client, &mut problems).await?;
        add_lists(&client, &mut problems).await?;
        let mut printer = Printer::new(self.output.format(), COLUMNS);
        let mut closing = Vec::new();
        for (group, Found { count, last_at }) in problems.groups {
            let advice = advice_on(&group);
            let name = [group.problem.as_str(), &group.reason].join(" ");
            let line = format!("\n{}: {advice}", escape(name.trim_end()));
            let Group { problem, reason, domain } = group;
            printer.row(&json!({
                "problem": problem, "reason": reason, "domain": domain, "count": count, "last_at": last_at,
                "advice": advice,
            }))?;
            if !closing.contains(&line) {
                closing.push(line);
            }
        }
        if problems.is_cut {
            closing.push(format!("\nof each kind, only the newest {MAX_ROWS} are counted"));
        }
        if printer.is_empty() {
            closing.push("no problems".to_owned());
        }
        Ok(printer.finish(&json!({}), &closing)?)
    }
}

fn add(problems: &mut Problems, (problem, reason): (ProblemKind, &str), row: &Value, last: &str, count: i64) {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let group = Group { problem, reason: reason.to_owned(), domain: text("domain") };
    let found = problems.groups.entry(group).or_default();
    found.count += count;
    found.last_at = found.last_at.take().max(text(last));
}

fn word<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The newest rows of a list.
async fn rows(client: &Client, path: &str, query: &Query, problems: &mut Problems) -> anyhow::Result<Vec<Value>> {
    let rows = client.rows(path, query, MAX_ROWS).await?;
    problems.is_cut |= rows.len() == MAX_ROWS;
    Ok(rows)
}

async fn add_parts(client: &Client, problems: &mut Problems) -> anyhow::Result<()> {
    for part in client.readiness().await? {
        if part.get("ready") != Some(&Value::Bool(true)) {
            let state = format!("{} {}", word(&part, "name"), word(&part, "state"));
            add(problems, (ProblemKind::NotReady, &state), &Value::Null, "", 1);
        }
    }
    Ok(())
}

async fn add_rejections(client: &Client, problems: &mut Problems) -> anyhow::Result<()> {
    let query = Query::default().with("from", Some(times::utc(clock::now() - REJECTIONS_SINCE)));
    for row in rows(client, "/v1/rejections", &query, problems).await? {
        let count = row.get("count").and_then(Value::as_i64).unwrap_or(1);
        add(problems, (ProblemKind::Rejected, word(&row, "cause")), &row, "last_at", count);
    }
    Ok(())
}

async fn add_quarantined(client: &Client, problems: &mut Problems) -> anyhow::Result<()> {
    let query = Query::default().with("disposition", Some("quarantined"));
    for row in rows(client, "/v1/events", &query, problems).await? {
        // A released event stays in the log as it was.
        if row.get("released_at").is_none_or(Value::is_null) {
            add(problems, (ProblemKind::Quarantined, word(&row, "reason")), &row, "received_at", 1);
        }
    }
    Ok(())
}

async fn add_unconfirmed(client: &Client, problems: &mut Problems) -> anyhow::Result<()> {
    let query = Query::default().with("unconfirmed", Some(true));
    for row in rows(client, "/v1/sessions", &query, problems).await? {
        add(problems, (ProblemKind::Unconfirmed, ""), &row, "started_at", 1);
    }
    Ok(())
}

/// Only administrators may see webhooks.
async fn add_webhooks(client: &Client, problems: &mut Problems) -> anyhow::Result<()> {
    let query = Query::default().with("limit", Some(500));
    let Some(page) = permitted(client.get("/v1/webhooks", &query).await)? else { return Ok(()) };
    for row in page.get("data").and_then(Value::as_array).into_iter().flatten() {
        let is_disabled = ["failing", "gone"].contains(&word(row, "disabled_reason"));
        if is_disabled || !word(row, "failing_since").is_empty() {
            add(problems, (ProblemKind::Webhook, word(row, "name")), &Value::Null, "", 1);
        }
    }
    Ok(())
}

/// Only administrators may see which domains are polled.
async fn add_lists(client: &Client, problems: &mut Problems) -> anyhow::Result<()> {
    let domains = match rows(client, "/v1/domains", &Query::default(), problems).await {
        Ok(domains) => domains,
        Err(error) if is_forbidden(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let now = clock::now();
    for domain in domains.iter().filter(|row| word(row, "poll_mode") != PollMode::Off.as_str()) {
        add_polls(client, domain, now, problems).await?;
    }
    for domain in &domains {
        add_differences(client, word(domain, "domain"), now, problems).await?;
    }
    Ok(())
}

async fn add_polls(client: &Client, domain: &Value, now: DateTime<Utc>, problems: &mut Problems) -> anyhow::Result<()> {
    // A list is read every minute: these reach back for longer than that.
    let path = path_of(word(domain, "domain"), "polls");
    let polls = client.rows(&path, &Query::default(), MAX_POLLS).await?;
    let is_recent = |row: &Value, time: &str| now - time_of(row, time) <= COMPLETE_WITHIN;
    let is_complete = |poll: &&Value| word(poll, "outcome") == PollOutcome::Complete.as_str();
    // Since its settings were changed last, too: before that, the domain may not have been polled.
    let is_read = polls.iter().filter(is_complete).any(|poll| is_recent(poll, "begun_at"));
    let newest = polls.first();
    let name = json!({ "domain": domain.get("domain"), "begun_at": newest.and_then(|poll| poll.get("begun_at")) });
    if !is_read && !is_recent(domain, "updated_at") {
        let newest = newest.filter(|poll| is_recent(poll, "begun_at"));
        let outcome = newest.map_or("not read", |poll| word(poll, "outcome"));
        add(problems, (ProblemKind::ListUnread, outcome), &name, "begun_at", 1);
    }
    if newest.is_some_and(|poll| poll.get("mass_absence") == Some(&Value::Bool(true))) {
        add(problems, (ProblemKind::MassAbsence, ""), &name, "begun_at", 1);
    }
    Ok(())
}

async fn add_differences(
    client: &Client,
    domain: &str,
    now: DateTime<Utc>,
    problems: &mut Problems,
) -> anyhow::Result<()> {
    // The last seen come first.
    let found = rows(client, &path_of(domain, "provider-differences"), &Query::default(), problems).await?;
    for row in found.iter().take_while(|row| now - time_of(row, "last_seen_at") <= DIFFERENCES_PERIOD) {
        if row.get("repaired") == Some(&Value::Bool(false)) {
            let last = json!({ "domain": domain, "last_seen_at": word(row, "last_seen_at") });
            add(problems, (ProblemKind::Difference, word(row, "kind")), &last, "last_seen_at", 1);
        }
    }
    Ok(())
}

/// A time of a row; the beginning of time if it has none.
fn time_of(row: &Value, name: &str) -> DateTime<Utc> {
    word(row, name).parse().unwrap_or(DateTime::UNIX_EPOCH)
}

fn advice_on(Group { problem, reason, .. }: &Group) -> String {
    match problem {
        ProblemKind::NotReady => {
            "Callbacks are stored as long as the spool has room. docs/operations.md says what to do.".to_owned()
        }
        ProblemKind::Rejected => {
            let advice = reason.parse::<RejectionReason>().map(advice::of_rejection).unwrap_or_default();
            format!("{advice} Then: streamtally rejections retry DOMAIN")
        }
        ProblemKind::Quarantined => {
            let advice = reason.parse::<QuarantineReason>().map(advice::of_reason).unwrap_or_default();
            format!("{advice} To let them count: streamtally events release -d DOMAIN --reason {reason}")
        }
        ProblemKind::Webhook => {
            "Its receiver fails. `streamtally webhook list` and `webhook deliveries NAME` say more.".to_owned()
        }
        ProblemKind::ListUnread => {
            "The provider's list has not been read completely for more than 10 minutes: lost callbacks are not found. \
             `streamtally domain polls DOMAIN` says why; if nothing is read, no process with the role reconciler runs."
                .to_owned()
        }
        ProblemKind::MassAbsence => {
            "Many sessions disappeared from the provider's list at once. No session ends because of the list for at \
             least 15 minutes."
                .to_owned()
        }
        ProblemKind::Difference => {
            let meaning = reason.parse::<DifferenceKind>().map(meaning_of).unwrap_or_default();
            format!("{meaning} `streamtally domain differences DOMAIN` lists them; docs/billing.md says what to do.")
        }
        ProblemKind::Unconfirmed => {
            "Live for longer than expected: an end may be lost. `streamtally sessions --unconfirmed` \
                                     lists them, `session end` and `session confirm` settle them."
                .to_owned()
        }
    }
}

fn meaning_of(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::Unlisted => "A live session is no longer in the provider's list: its end was lost.",
        DifferenceKind::Listed => "A session whose end is an estimate is in the provider's list: it is live.",
        DifferenceKind::History => "The provider's history has an end that is an estimate here.",
        DifferenceKind::UnknownPush => "The provider lists a push for which no callback was received.",
        DifferenceKind::MissedPush => "The provider's history has a push for which no callback was received.",
        DifferenceKind::EndDiffers => {
            "The provider's history has another end than the callback, by more than a minute."
        }
    }
}
