//! The parameters of reports as flags.

use chrono_tz::Tz;
use clap::Args;

use crate::cli::client::Query;
use crate::cli::one_of;
use crate::cli::suggestion::closest;
use crate::cli::times::zone;
use crate::model::report::WindowSize;
use crate::model::session::Renditions;

/// What a report counts.
#[derive(Debug, Args)]
pub(in crate::cli) struct SelectionOptions {
    #[command(flatten)]
    period: PeriodOptions,
    /// Time zone of the period and its dates, of windows, and of tables
    #[arg(long, default_value = "UTC", value_name = "ZONE", value_parser = zone)]
    pub(super) time_zone: Tz,
    /// Count only this ingest domain
    #[arg(long, short)]
    pub(super) domain: Option<String>,
    /// Count only this app
    #[arg(long)]
    app: Option<String>,
    /// Count only this stream name
    #[arg(long)]
    stream: Option<String>,
    /// Whether transcoded renditions count
    #[arg(long, default_value = "exclude", value_parser = one_of::<Renditions>())]
    renditions: Renditions,
    /// The instant up to which the log counts. Default: now
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

#[derive(Debug, Args)]
#[group(id = "period", required = true, multiple = true)]
struct PeriodOptions {
    /// The month, such as 2026-11
    #[arg(long, conflicts_with_all = ["last_month", "from", "to"])]
    month: Option<String>,
    /// The month before this one
    #[arg(long, conflicts_with_all = ["from", "to"])]
    last_month: bool,
    /// Start of the period (inclusive): a date in the time zone, or a whole second such as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", requires = "to")]
    from: Option<String>,
    /// End of the period (exclusive)
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<String>,
}

/// How a report of push duration is divided.
#[derive(Debug, Args)]
pub(in crate::cli) struct LayoutOptions {
    /// Windows that divide the period
    #[arg(long, default_value = "none", value_parser = one_of::<WindowSize>())]
    pub(super) window: WindowSize,
    /// Grouping of the rows: any of domain,app,stream
    #[arg(long, default_value = "domain", value_parser = group_by)]
    group_by: String,
}

impl SelectionOptions {
    pub(in crate::cli) fn zone(&self) -> Tz {
        self.time_zone
    }

    pub(in crate::cli) fn query(&self) -> Query {
        let PeriodOptions { month, last_month, from, to } = &self.period;
        Query::default()
            .with("month", month.as_deref().or(last_month.then_some("last_month")))
            .with("from", from.as_ref())
            .with("to", to.as_ref())
            .with("time_zone", Some(self.time_zone))
            .with("renditions", Some(self.renditions))
            .with("domain", self.domain.as_ref())
            .with("app", self.app.as_ref())
            .with("stream", self.stream.as_ref())
            .with("as_of", self.as_of.as_ref())
    }
}

impl LayoutOptions {
    pub(in crate::cli) fn add_to(&self, query: Query) -> Query {
        query.with("window", Some(self.window)).with("group_by", Some(&self.group_by))
    }
}

/// The API lists all orders of the names; here, the wrong name is enough.
fn group_by(text: &str) -> Result<String, String> {
    const NAMES: [&str; 3] = ["domain", "app", "stream"];
    let parts: Vec<&str> = text.split(',').collect();
    match parts.iter().find(|part| !NAMES.contains(part)) {
        Some(part) => Err(match closest(part, NAMES) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "write domain, app or stream, or several with commas".to_owned(),
        }),
        None if (1..parts.len()).any(|place| parts.iter().take(place).any(|part| parts.get(place) == Some(part))) => {
            Err("write each name once".to_owned())
        }
        None => Ok(text.to_owned()),
    }
}
