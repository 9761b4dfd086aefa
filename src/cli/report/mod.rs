//! `report`: what billing asks, from the database, or from a running service.

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
    /// How long pushes lasted, by window and group, in whole seconds
    ///
    /// Each session counts from its start to its end as far as that lies in the period. docs/billing.md says what each column is.
    #[command(after_help = PUSH_DURATION_EXAMPLES)]
    PushDuration(PushDurationReport),
    /// How many sessions and streams were on air, step by step, and at most
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
    /// Ask the service there, instead of the database
    #[arg(long, env = "STREAMTALLY_URL")]
    url: Option<Url>,
    /// With --url: an API token with scope billing
    #[arg(long, env = "STREAMTALLY_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    #[command(flatten)]
    output: OutputOptions,
    /// Begin of the period: a date in the time zone, or a whole second such as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    from: String,
    /// End of the period, exclusive
    #[arg(long, value_name = "TIME")]
    to: String,
    /// The time zone whose dates --from and --to are, and whose hours, days and months windows are
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    time_zone: String,
    /// The only ingest domain that counts
    #[arg(long)]
    domain: Option<String>,
    /// The only application that counts
    #[arg(long)]
    app: Option<String>,
    /// The only stream name that counts
    #[arg(long)]
    stream: Option<String>,
    /// Whether transcoded renditions count: include, exclude or only
    #[arg(long, default_value = "exclude", value_name = "WHETHER")]
    renditions: String,
    /// The moment: what was recorded later does not count; now when left out
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct PushDurationReport {
    #[command(flatten)]
    common: CommonOptions,
    /// How the period is divided: none, hour, day or month
    #[arg(long, default_value = "none")]
    window: String,
    /// What is told apart: any of domain,app,stream
    #[arg(long, default_value = "domain")]
    group_by: String,
}

#[derive(Debug, Args)]
pub(super) struct ConcurrencyReport {
    #[command(flatten)]
    common: CommonOptions,
    /// From one instant to the next: whole minutes, from 1m to 1d
    #[arg(long, value_name = "DURATION")]
    step: String,
}

const POINT_COLUMNS: [&str; 3] = ["at", "live_sessions", "live_streams"];

/// Which report, with the parameters that the API has for it.
struct Asked {
    kind: Kind,
    parameters: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Comes in pages.
    PushDuration,
    /// Comes whole.
    Concurrency,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::PushDuration => "/v1/reports/push-duration",
            Self::Concurrency => "/v1/reports/concurrency",
        }
    }

    /// The columns that the API's CSV has.
    fn columns(self) -> Vec<Column> {
        let names: &[&'static str] = match self {
            Self::PushDuration => &csv::COLUMNS,
            Self::Concurrency => &POINT_COLUMNS,
        };
        names.iter().copied().map(Column::new).collect()
    }
}

/// Ends a report: a table is followed by its peak and its moment.
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
    /// Prints the report.
    ///
    /// # Errors
    /// When it is asked for wrongly, or the database or the service cannot be used.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (kind, common, own) = match self {
            Self::PushDuration(report) => {
                (Kind::PushDuration, report.common, vec![("window", report.window), ("group_by", report.group_by)])
            }
            Self::Concurrency(report) => (Kind::Concurrency, report.common, vec![("step", report.step)]),
        };
        let CommonOptions { installation, clock, url, token, output, from, to, time_zone, renditions, .. } = common;
        let named = [("from", from), ("to", to), ("time_zone", time_zone), ("renditions", renditions)];
        let optional =
            [("domain", common.domain), ("app", common.app), ("stream", common.stream), ("as_of", common.as_of)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let parameters = named.into_iter().chain(own).chain(optional);
        let parameters = parameters.map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        let asked = Asked { kind, parameters };
        let printer = Printer::new(output.output, kind.columns());
        match url {
            Some(url) => api::print(&url, token, &asked, printer).await,
            None => database::print(&installation, clock.clock_tolerance, asked, printer).await,
        }
    }
}
