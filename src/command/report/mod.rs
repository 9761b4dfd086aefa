//! `report`: what billing asks, from the database, or from a running service.

mod api;
mod database;
mod output;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::config::InstallationOptions;
use output::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// How long pushes lasted, by window and group, in whole seconds
    PushDuration(PushDurationReport),
    /// How many sessions and streams were on air, step by step, and at most
    Concurrency(ConcurrencyReport),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For spreadsheets: what the API gives with format=csv
    Csv,
    /// For programs: what the API gives, in one page
    Json,
}

#[derive(Debug, Args)]
struct CommonOptions {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Ask the service there, instead of the database
    #[arg(long, env = "STREAMTALLY_URL")]
    url: Option<Url>,
    /// With --url: an API token with scope billing
    #[arg(long, env = "STREAMTALLY_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
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

/// Which report, with the parameters that the API has for it.
struct Asked {
    path: &'static str,
    parameters: Map<String, Value>,
}

impl ReportCommand {
    /// Prints the report.
    ///
    /// # Errors
    /// When it is asked for wrongly, or the database or the service cannot be used.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (path, common, own) = match self {
            Self::PushDuration(report) => (
                "/v1/reports/push-duration",
                report.common,
                vec![("window", report.window), ("group_by", report.group_by)],
            ),
            Self::Concurrency(report) => ("/v1/reports/concurrency", report.common, vec![("step", report.step)]),
        };
        let CommonOptions { installation, url, token, output, from, to, time_zone, renditions, .. } = common;
        let named = [("from", from), ("to", to), ("time_zone", time_zone), ("renditions", renditions)];
        let optional =
            [("domain", common.domain), ("app", common.app), ("stream", common.stream), ("as_of", common.as_of)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let parameters = named.into_iter().chain(own).chain(optional);
        let parameters = parameters.map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        let asked = Asked { path, parameters };
        let printer = Printer::new(output, path.ends_with("concurrency"));
        match url {
            Some(url) => api::print(&url, token, &asked, printer).await,
            None => database::print(&installation, asked, printer).await,
        }
    }
}
