//! `live`: what is live now, once or as it changes.

use std::collections::HashSet;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use chrono_tz::Tz;
use clap::Args;
use console::{Term, truncate_str};
use serde_json::Value;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

use super::client::changes::Changes;
use super::client::problem::ServiceError;
use super::client::{Client, Query};
use super::listing::ListOptions;
use super::output::{Output, Printer, say};
use super::sessions::SESSION_COLUMNS;
use super::table::{self, Row};
use crate::model::session::Renditions;
use crate::platform::clock;

const REDRAW_INTERVAL: Duration = Duration::from_secs(2);

/// Lines of the screen that hold no session: the counts, the header, and the last line.
const OTHER_LINES: u16 = 4;

/// Show what is live now
///
/// The live sessions, newest start first, and the counts of all. With --watch, a terminal is redrawn until Ctrl-C; in a pipe,
/// each session that starts, ends or changes is a line (with -o json, an object per line).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LiveCommand {
    /// Exact ingest domain
    #[arg(long, short)]
    domain: Option<String>,
    /// Exact app
    #[arg(long)]
    app: Option<String>,
    /// Exact stream name
    #[arg(long)]
    stream: Option<String>,
    /// Whether to include transcoded renditions
    #[arg(long, value_parser = super::one_of::<Renditions>())]
    renditions: Option<Renditions>,
    /// Follow what changes, until Ctrl-C
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    list: ListOptions,
}

const EXAMPLES: &str = "\
Examples:
  streamtally live
  streamtally live --watch -d push.example.com
  streamtally live --watch -o json | jq --unbuffered .stream";

impl LiveCommand {
    /// # Errors
    /// The service answers with an error, or standard output failed.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.list.connection.connect()?;
        if !self.watch {
            return self.print_once(&client).await;
        }
        let format = self.list.output.format();
        let redraws = format.output == Output::Table && !format.quiet && stdout().is_terminal();
        tokio::select! {
            // Ctrl-C is how a watch ends.
            interrupted = ctrl_c() => Ok(interrupted?),
            ended = async {
                if redraws { self.redraw(&client, format.zone).await } else { self.print_changes(&client).await }
            } => ended,
        }
    }

    /// What counts and changes can be filtered by, too.
    fn query_without_stream(&self) -> Query {
        let query = Query::default().with("domain", self.domain.as_ref()).with("app", self.app.as_ref());
        query.with("renditions", self.renditions)
    }

    fn query(&self) -> Query {
        self.query_without_stream().with("stream", self.stream.as_ref()).with("status", Some("live"))
    }

    async fn print_once(&self, client: &Client) -> anyhow::Result<()> {
        let mut printer = Printer::new(self.list.output.format(), SESSION_COLUMNS);
        let mut streams = Streams::default();
        let last = client
            .list("/v1/sessions", &self.query(), self.list.limit, |row| {
                streams.add(row);
                Ok(printer.row(row)?)
            })
            .await?;
        if printer.is_empty() {
            client.reject_unknown_domain(self.domain.as_deref()).await?;
        }
        let closing = match self.list.note_more(&last) {
            // A stream is not counted on its own.
            Some(more) if self.stream.is_some() => vec![more],
            Some(more) => vec![self.counts(client).await?, more],
            None => vec![streams.to_string()],
        };
        Ok(printer.finish(&last, &closing)?)
    }

    /// The counts of everything that matches, except `--stream`.
    async fn counts(&self, client: &Client) -> Result<String, ServiceError> {
        let live = client.get("/v1/live", &self.query_without_stream()).await?;
        let count = |name: &str| live.get(name).and_then(Value::as_u64).unwrap_or_default();
        Ok(words_of_counts(count("live_streams"), count("live_sessions"), count("unconfirmed_sessions")))
    }

    async fn redraw(&self, client: &Client, zone: Tz) -> anyhow::Result<()> {
        let screen = Screen::open()?;
        let mut shown = Vec::new();
        loop {
            match self.lines(client, zone, screen.rows()).await {
                Ok(lines) => {
                    shown = lines;
                    screen.draw(&shown, "Ctrl-C ends")?;
                }
                // A service that restarts is back soon. What is shown is no longer live, and says so.
                Err(error) if error.downcast_ref().is_some_and(ServiceError::is_transient) => {
                    let style = console::Style::new().red();
                    screen.draw(&shown, &style.apply_to(format!("NOT LIVE: {error}")).to_string())?;
                }
                Err(error) => return Err(error),
            }
            sleep(REDRAW_INTERVAL).await;
        }
    }

    async fn lines(&self, client: &Client, zone: Tz, rows: usize) -> anyhow::Result<Vec<String>> {
        let sessions = client.rows("/v1/sessions", &self.query(), rows.min(self.list.limit)).await?;
        let counts = if self.stream.is_some() {
            let mut streams = Streams::default();
            for session in &sessions {
                streams.add(session);
            }
            streams.to_string()
        } else {
            self.counts(client).await?
        };
        let sessions: Vec<Row> = sessions.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
        let now = clock::now().with_timezone(&zone).format("%H:%M:%S");
        let table = table::render(&SESSION_COLUMNS, &sessions, None, zone);
        let head = format!("{now} {zone}  {counts}");
        Ok([head].into_iter().chain(table.lines().map(str::to_owned)).collect())
    }

    async fn print_changes(&self, client: &Client) -> anyhow::Result<()> {
        let format = self.list.output.format();
        let mut printer = Printer::new(format, SESSION_COLUMNS);
        let mut changes = Changes::new(client, self.query_without_stream());
        loop {
            let session = changes.next().await?;
            let is_wanted = |stream: &String| session.get("stream").and_then(Value::as_str) == Some(stream.as_str());
            if !self.stream.as_ref().is_none_or(is_wanted) {
                continue;
            }
            match format.output {
                Output::Table if !format.quiet => say!("{}", words_of_change(&session, format.zone))?,
                Output::Json => say!("{session}")?,
                Output::Table | Output::Csv => {
                    printer.row(&session)?;
                    printer.flush()?;
                }
            }
        }
    }
}

/// Counts of the sessions that are shown.
#[derive(Default)]
struct Streams {
    ids: HashSet<String>,
    sessions: u64,
    unconfirmed: u64,
}

impl Streams {
    fn add(&mut self, session: &Value) {
        self.ids.extend(session.get("stream_id").and_then(Value::as_str).map(str::to_owned));
        self.sessions += 1;
        self.unconfirmed += u64::from(session.get("unconfirmed") == Some(&Value::Bool(true)));
    }
}

impl std::fmt::Display for Streams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&words_of_counts(self.ids.len() as u64, self.sessions, self.unconfirmed))
    }
}

fn words_of_counts(streams: u64, sessions: u64, unconfirmed: u64) -> String {
    let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let unconfirmed = if unconfirmed == 0 { String::new() } else { format!(", {unconfirmed} unconfirmed") };
    format!("live: {} in {}{unconfirmed}", counted(streams, "stream"), counted(sessions, "session"))
}

/// Such as `20:21:53  ended  push.example.com/live/room1  0:12:29`.
fn words_of_change(session: &Value, zone: Tz) -> String {
    let text = |name: &str| session.get(name).map(|value| table::escape(&table::text(value))).unwrap_or_default();
    let now = clock::now().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S");
    let duration = session.get("duration_seconds").and_then(Value::as_i64).map(table::clock).unwrap_or_default();
    let names = ["domain", "app", "stream"].map(text).join("/");
    format!("{now}  {:<5}  {names}  {duration}", text("status"))
}

/// The terminal while it is redrawn; the cursor is back when it is dropped.
struct Screen(Term);

impl Screen {
    fn open() -> anyhow::Result<Self> {
        let terminal = Term::buffered_stdout();
        terminal.hide_cursor()?;
        terminal.clear_screen()?;
        Ok(Self(terminal))
    }

    /// How many rows fit.
    fn rows(&self) -> usize {
        usize::from(self.0.size().0.saturating_sub(OTHER_LINES).max(1))
    }

    fn draw(&self, lines: &[String], last: &str) -> anyhow::Result<()> {
        let width = usize::from(self.0.size().1);
        self.0.move_cursor_to(0, 0)?;
        for line in lines.iter().map(String::as_str).chain(["", last]) {
            self.0.clear_line()?;
            self.0.write_line(&truncate_str(line, width, "…"))?;
        }
        self.0.clear_to_end_of_screen()?;
        Ok(self.0.flush()?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.0.show_cursor();
        let _ = self.0.flush();
    }
}
