//! `reports`: sealed reports, which never change.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::client::{Client, Query};
use super::listing::{ConnectionOptions, List, ListOptions};
use super::output::{OneOutputOptions, Output, OutputOptions, print_json, say, write_bytes};
use super::report::parameters::{LayoutOptions, SelectionOptions};
use super::suggestion::{Named, pick};
use super::table::{self, Column, Row};

const PATH: &str = "/v1/sealed-reports";

const POLL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(super) enum ReportsCommand {
    /// Seal a report of push duration: store it byte for byte, with its SHA-256
    ///
    /// It then never changes. Seal a month a day or so after its end, when late callbacks have arrived.
    #[command(after_help = SEAL_EXAMPLES)]
    Seal(SealReport),
    /// List sealed reports, newest first
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List(ListReports),
    /// Show a sealed report; with -o csv, print it as it was sealed
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowReport),
    /// List the rows of a sealed report that today's log would change
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(DiffReport),
}

const SEAL_EXAMPLES: &str = "\
Examples:
  streamtally reports seal --last-month --time-zone Asia/Shanghai
  streamtally reports seal --month 2026-10 --group-by domain,app --window day -o json";

const LIST_EXAMPLES: &str = "\
Examples:
  streamtally reports list";

const SHOW_EXAMPLES: &str = "\
Examples:
  streamtally reports show 5f0c2a9e
  streamtally reports show 5f0c2a9e -o csv >october.csv";

const DIFF_EXAMPLES: &str = "\
Examples:
  streamtally reports diff 5f0c2a9e";

const COLUMNS: [Column; 12] = [
    Column::time("sealed_at"),
    Column::status("status"),
    Column::bound("parameters/from"),
    Column::bound("parameters/to"),
    Column::new("parameters/time_zone"),
    Column::new("parameters/group_by"),
    Column::new("parameters/domain"),
    Column::hours("totals/push_seconds"),
    Column::new("sealed_by"),
    Column::id("sealed_report_id").titled("report id"),
    Column::hidden("as_of"),
    Column::hidden("sha256"),
];

const DETAILS: [Column; 14] = [
    Column::new("sealed_report_id").titled("report id"),
    Column::status("status"),
    Column::bound("parameters/from"),
    Column::bound("parameters/to"),
    Column::new("parameters/time_zone"),
    Column::new("parameters/window"),
    Column::new("parameters/group_by"),
    Column::new("parameters/domain"),
    Column::hours("totals/push_seconds"),
    Column::hours("totals/on_air_seconds"),
    Column::new("rows"),
    Column::time("sealed_at"),
    Column::new("sealed_by"),
    Column::new("sha256").titled("SHA-256"),
];

const DIFF_COLUMNS: [Column; 9] = [
    Column::new("domain"),
    Column::new("app"),
    Column::new("stream"),
    Column::time("window_start"),
    Column::hidden("window_end"),
    Column::hours("old/push_seconds").or("none").titled("sealed push hours"),
    Column::hours("new/push_seconds").or("none").titled("now"),
    Column::hours("old/on_air_seconds").or("none").titled("sealed on-air hours"),
    Column::hours("new/on_air_seconds").or("none").titled("now"),
];

#[derive(Debug, Args)]
pub(super) struct SealReport {
    #[command(flatten)]
    layout: LayoutOptions,
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    output: OneOutputOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
}

#[derive(Debug, Args)]
pub(super) struct ListReports {
    #[command(flatten)]
    list: ListOptions,
}

#[derive(Debug, Args)]
pub(super) struct ShowReport {
    /// ID of the report, or how it begins
    report_id: String,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
}

#[derive(Debug, Args)]
pub(super) struct DiffReport {
    /// ID of the report, or how it begins
    report_id: String,
    #[command(flatten)]
    list: ListOptions,
}

impl ReportsCommand {
    /// # Errors
    /// The service answers with an error.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Seal(command) => command.run().await,
            Self::List(ListReports { list }) => {
                let of = List { path: PATH, columns: &COLUMNS, none: "no report is sealed; `reports seal` seals one" };
                list.print(&of, &Query::default()).await
            }
            Self::Show(command) => command.run().await,
            Self::Diff(command) => command.run().await,
        }
    }
}

impl DiffReport {
    async fn run(self) -> anyhow::Result<()> {
        let Self { report_id, mut list } = self;
        let client = list.connection.connect()?;
        let path = find(&client, &report_id).await?;
        let report: Row = serde_json::from_value(client.get(&path, &Query::default()).await?)?;
        // Windows are those of the report.
        list.output.set_default_zone(table::zone_of_report(&report));
        let path = path + "/difference";
        let of = List { path: &path, columns: &DIFF_COLUMNS, none: "no row differs" };
        list.print(&of, &Query::default()).await
    }
}

impl SealReport {
    /// Waits until the report is sealed: its process goes on if this command is interrupted.
    async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.connect()?;
        let zone = self.selection.zone();
        let members = self.layout.add_to(self.selection.query()).into_members();
        let mut report = client.post(PATH, &Value::Object(members)).await?;
        let id = report.get("sealed_report_id").and_then(Value::as_str).context("the answer has no ID")?;
        let path = format!("{PATH}/{}", id.parse::<Uuid>()?);
        while status_of(&report) == "sealing" {
            sleep(POLL_INTERVAL).await;
            report = client.get(&path, &Query::default()).await?;
        }
        if self.output.output == Output::Json {
            print_json(&report)?;
        } else {
            let row: Row = serde_json::from_value(report.clone())?;
            say!("{}", table::render_one(&DETAILS, &row, zone))?;
        }
        if status_of(&report) != "sealed" {
            bail!("the report could not be sealed; seal it again");
        }
        Ok(())
    }
}

impl ShowReport {
    async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.connect()?;
        let path = find(&client, &self.report_id).await?;
        if self.output.output == Output::Csv {
            // As it was sealed, byte for byte.
            return client.download(&path, &Query::default().with("format", Some("csv")), write_bytes).await;
        }
        let report = client.get(&path, &Query::default()).await?;
        if self.output.output == Output::Json {
            return print_json(&report);
        }
        let report: Row = serde_json::from_value(report)?;
        Ok(say!("{}", table::render_one(&DETAILS, &report, self.output.zone()))?)
    }
}

fn status_of(report: &Value) -> &str {
    report.get("status").and_then(Value::as_str).unwrap_or_default()
}

/// The path of the report with this ID, or with one that begins like this.
async fn find(client: &Client, given: &str) -> anyhow::Result<String> {
    if let Ok(id) = Uuid::try_parse(given) {
        return Ok(format!("{PATH}/{id}"));
    }
    let rows = client.rows(PATH, &Query::default(), usize::MAX).await?;
    let ids = rows.iter().filter_map(|row| row.get("sealed_report_id")?.as_str()?.parse().ok());
    let candidates: Vec<_> = ids.map(|id| Named { id, name: "" }).collect();
    Ok(format!("{PATH}/{}", pick(given, &candidates, "sealed report", "reports list")?))
}
