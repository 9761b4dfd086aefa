//! `report`: push duration and concurrency, from the database or a running service.
//!
//! - [`parameters`]: the flags, which sealed reports share.
//! - [`columns`]: the columns of tables and CSV.

mod api;
pub(super) mod columns;
mod database;
pub(super) mod parameters;

use std::io::{IsTerminal, stdout};

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use self::parameters::{LayoutOptions, SelectionOptions};
use super::client::Query;
use super::client::options::ServiceOptions;
use super::output::{Format, Output, PrintError, Printer};
use super::table::{self, Column};
use super::{BadUsage, one_of};
use crate::config::{ClockOptions, InstallationOptions};
use crate::http::files::FileFormat;
use crate::model::session::LiveGrouping;

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Report push duration, by window and group
    ///
    /// Each session counts from its start to its end, within the period. Tables show hours, JSON and CSV seconds.
    /// docs/billing.md describes the columns.
    #[command(after_help = PUSH_DURATION_EXAMPLES)]
    PushDuration(PushDurationReport),
    /// Report how many sessions and streams were live at every step of the period, and the peak
    #[command(after_help = CONCURRENCY_EXAMPLES)]
    Concurrency(ConcurrencyReport),
}

const PUSH_DURATION_EXAMPLES: &str = "\
Examples:
  streamtally report push-duration --last-month --time-zone Asia/Shanghai
  streamtally report push-duration --last-month --time-zone Asia/Shanghai -o xlsx >bill.xlsx
  streamtally report push-duration --month 2026-11 --group-by domain,app --window day -o csv
  streamtally report push-duration --from 2026-10-01 --to 2026-11-01 -d push.example.com";

const CONCURRENCY_EXAMPLES: &str = "\
Examples:
  streamtally report concurrency --from 2026-10-01 --to 2026-10-02 --step 1h
  streamtally report concurrency --month 2026-10 --step 1d -o csv";

#[derive(Debug, Args)]
struct CommonOptions {
    #[command(flatten)]
    selection: SelectionOptions,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = ReportOutput::Table)]
    output: ReportOutput,
    #[command(flatten)]
    service: ServiceOptions,
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    clock: ClockOptions,
}

#[derive(Debug, Args)]
pub(super) struct PushDurationReport {
    #[command(flatten)]
    layout: LayoutOptions,
    #[command(flatten)]
    common: CommonOptions,
}

#[derive(Debug, Args)]
pub(super) struct ConcurrencyReport {
    /// Time between two points: whole seconds, up to 31d, such as 5m or 1h
    #[arg(long, value_name = "DURATION")]
    step: String,
    /// Series for each domain, or for each domain and app
    #[arg(long, value_parser = one_of::<LiveGrouping>())]
    group_by: Option<LiveGrouping>,
    #[command(flatten)]
    common: CommonOptions,
}

/// The output format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportOutput {
    /// For people, in hours
    Table,
    /// For programs: one object with the rows in `data`, as in the API
    Json,
    /// For programs: the file of the API
    Csv,
    /// For spreadsheets: a workbook, to be written into a file
    Xlsx,
}

/// Where a report goes: rows to a printer, or a file to standard output.
enum Target {
    Printer(Printer),
    File(FileFormat),
}

/// A report with its parameters, as of the API.
struct ReportRequest {
    kind: ReportKind,
    query: Query,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReportKind {
    PushDuration,
    Concurrency,
}

impl ReportKind {
    fn path(self) -> &'static str {
        match self {
            Self::PushDuration => "/v1/reports/push-duration",
            Self::Concurrency => "/v1/reports/concurrency",
        }
    }
}

/// Ends a report; a table is followed by its peak, its period and its `as_of`. An empty one says so.
fn finish(printer: Printer, report: &Value) -> Result<(), PrintError> {
    let zone = printer.zone();
    let nothing = printer.is_empty().then(|| "no sessions count".to_owned());
    let time = |value: &Value| table::local_seconds(value, zone).replace(" 00:00:00", "");
    let peak = report.get("peak").and_then(Value::as_object).map(|peak| {
        let text = |name: &str| peak.get(name).map(table::text).unwrap_or_default();
        let at = peak.get("at").map(time).unwrap_or_default();
        format!("peak: {} sessions of {} streams at {at}", text("live_sessions"), text("live_streams"))
    });
    let period = report.get("parameters").and_then(|parameters| Some((parameters.get("from")?, parameters.get("to")?)));
    let period = period.map(|(from, to)| format!("from {} to {}, {zone}", time(from), time(to)));
    // As the flag --as-of takes it.
    let as_of = report.get("as_of").map(|as_of| format!("as of {}", table::text(as_of)));
    printer.finish(report, &[nothing, peak, period, as_of].into_iter().flatten().collect::<Vec<_>>())
}

impl ReportCommand {
    /// # Errors
    /// The parameters are invalid, or the database or the service is unusable.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::PushDuration(PushDurationReport { layout, common }) => {
                let query = layout.add_to(common.selection.query());
                common.run(ReportKind::PushDuration, query, columns::of_push_duration(layout.window)).await
            }
            Self::Concurrency(ConcurrencyReport { step, group_by, common }) => {
                let query = common.selection.query().with("step", Some(step)).with("group_by", group_by);
                common.run(ReportKind::Concurrency, query, columns::OF_CONCURRENCY.to_vec()).await
            }
        }
    }
}

impl CommonOptions {
    async fn run(self, kind: ReportKind, query: Query, columns: Vec<Column>) -> anyhow::Result<()> {
        let folders = &self.installation.folders;
        let asked = ReportRequest { kind, query };
        let zone = self.selection.time_zone;
        let printer = |output| Target::Printer(Printer::new(Format { output, quiet: false, zone }, columns));
        let target = match self.output {
            ReportOutput::Table => printer(Output::Table),
            ReportOutput::Json => printer(Output::Json),
            ReportOutput::Csv => Target::File(FileFormat::Csv { bom: false }),
            ReportOutput::Xlsx if stdout().is_terminal() => {
                bail!(BadUsage("-o xlsx makes a file: redirect the output, such as >report.xlsx".to_owned()))
            }
            ReportOutput::Xlsx => Target::File(FileFormat::Xlsx),
        };
        // A database that is named comes before the service of a login.
        let of_service = if self.installation.database_url.is_some() {
            self.service.url.is_some()
        } else {
            self.service.names_a_service(folders)?
        };
        if of_service {
            return api::report(&self.service.connect(folders)?, &asked, target).await;
        }
        database::report(&self.installation, self.clock.clock_tolerance, asked, target).await
    }
}
