//! `report`: push duration and concurrency, from the database or a running service.

mod api;
mod database;

use clap::{Args, Subcommand};
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::output::{self, Column, OutputOptions, PrintError, Printer};
use crate::config::{ClockOptions, InstallationOptions};
use crate::report::csv;

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Report push duration in seconds, by window and group
    ///
    /// Each session counts from its start to its end, within the period. docs/billing.md describes the columns.
    #[command(after_help = PUSH_DURATION_EXAMPLES)]
    PushDuration(PushDurationReport),
    /// Report how many sessions and streams were live at every step of the period, and the peak
    #[command(after_help = CONCURRENCY_EXAMPLES)]
    Concurrency(ConcurrencyReport),
}

const PUSH_DURATION_EXAMPLES: &str = "\
Examples:
  streamtally report push-duration --from 2026-10-01 --to 2026-11-01 --group-by domain,app
  streamtally report push-duration --from 2026-10-01 --to 2026-11-01 --window day --output csv";

const CONCURRENCY_EXAMPLES: &str = "\
Examples:
  streamtally report concurrency --from 2026-10-01 --to 2026-10-02 --step 1h
  streamtally report concurrency --from 2026-10-01 --to 2026-11-01 --step 1d --output csv";

#[derive(Debug, Args)]
struct CommonOptions {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    clock: ClockOptions,
    /// Query the service at this URL instead of the database
    #[arg(long, env = "STREAMTALLY_URL")]
    url: Option<Url>,
    /// With --url: token with the scope billing
    #[arg(long, env = "STREAMTALLY_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    #[command(flatten)]
    output: OutputOptions,
    /// Start of the period (inclusive): a date in the time zone, or a whole second such as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    from: String,
    /// End of the period (exclusive)
    #[arg(long, value_name = "TIME")]
    to: String,
    /// Time zone of dates in --from and --to; for `push-duration`, also of the windows
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    time_zone: String,
    /// Count only this ingest domain
    #[arg(long)]
    domain: Option<String>,
    /// Count only this app
    #[arg(long)]
    app: Option<String>,
    /// Count only this stream name
    #[arg(long)]
    stream: Option<String>,
    /// Whether transcoded renditions count: include, exclude or only
    #[arg(long, default_value = "exclude", value_name = "WHETHER")]
    renditions: String,
    /// The instant up to which the log counts. Default: now
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct PushDurationReport {
    #[command(flatten)]
    common: CommonOptions,
    /// Windows that divide the period: none, hour, day or month
    #[arg(long, default_value = "none")]
    window: String,
    /// Grouping of the rows: any of domain,app,stream
    #[arg(long, default_value = "domain")]
    group_by: String,
}

#[derive(Debug, Args)]
pub(super) struct ConcurrencyReport {
    #[command(flatten)]
    common: CommonOptions,
    /// Time between two points: whole minutes, from 1m to 1d
    #[arg(long, value_name = "DURATION")]
    step: String,
}

const POINT_COLUMNS: [&str; 3] = ["at", "live_sessions", "live_streams"];

/// A report with its parameters, as of the API.
struct ReportRequest {
    kind: ReportKind,
    parameters: Map<String, Value>,
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

    /// The columns of the CSV of the API.
    fn columns(self) -> Vec<Column> {
        let names: &[&'static str] = match self {
            Self::PushDuration => &csv::COLUMNS,
            Self::Concurrency => &POINT_COLUMNS,
        };
        names.iter().copied().map(Column::new).collect()
    }
}

/// Ends a report; a table is followed by its peak and its `as_of`.
fn finish(printer: Printer, report: &Value) -> Result<(), PrintError> {
    let text = |value: Option<&Value>| value.map(output::text).unwrap_or_default();
    let peak = report.get("peak").and_then(Value::as_object).map(|peak| {
        let [at, sessions, streams] = POINT_COLUMNS.map(|column| text(peak.get(column)));
        format!("peak: {sessions} sessions of {streams} streams at {at}")
    });
    let as_of = format!("as of {}", text(report.get("as_of")));
    printer.finish(report, &peak.into_iter().chain([as_of]).collect::<Vec<_>>())
}

impl ReportCommand {
    /// # Errors
    /// The parameters are invalid, or the database or the service is unusable.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (kind, common, own) = match self {
            Self::PushDuration(report) => (
                ReportKind::PushDuration,
                report.common,
                vec![("window", report.window), ("group_by", report.group_by)],
            ),
            Self::Concurrency(report) => (ReportKind::Concurrency, report.common, vec![("step", report.step)]),
        };
        let CommonOptions { installation, clock, url, token, output, from, to, time_zone, renditions, .. } = common;
        let named = [("from", from), ("to", to), ("time_zone", time_zone), ("renditions", renditions)];
        let optional =
            [("domain", common.domain), ("app", common.app), ("stream", common.stream), ("as_of", common.as_of)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let parameters = named.into_iter().chain(own).chain(optional);
        let parameters = parameters.map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        let asked = ReportRequest { kind, parameters };
        let printer = Printer::new(output.output, kind.columns());
        match url {
            Some(url) => api::print(&url, token, &asked, printer).await,
            None => database::print(&installation, clock.clock_tolerance, asked, printer).await,
        }
    }
}
