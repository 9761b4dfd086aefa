//! The chart of the last 24 hours.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use maud::{Markup, html};
use tokio::time::timeout;

use crate::access::Principal;
use crate::app::state::AppState;
use crate::dashboard::chart::{self, Value};
use crate::dashboard::view::View;
use crate::dashboard::words;
use crate::model::filter::LiveFilter;
use crate::model::session::Renditions;
use crate::report::concurrency::Point;
use crate::report::concurrency_report;
use crate::report::cutoff::ReportCutoff;
use crate::report::parameters::ReportSelection;

/// The interval of its points, in seconds.
const STEP: i64 = 900;

/// Reports have few connections: a page does not wait for long ones.
const CHART_TIMEOUT: Duration = Duration::from_secs(2);

/// The live sessions of the last 24 hours.
pub struct ChartOfDay {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Empty if they cannot be computed now.
    points: Vec<Point>,
    peak: u32,
}

impl ChartOfDay {
    pub async fn read(state: &AppState, principal: &Principal, filter: &LiveFilter, now: DateTime<Utc>) -> Self {
        let to = now.trunc_subsecs(0);
        let from = to - TimeDelta::hours(24);
        let selection = ReportSelection {
            from,
            to,
            visible_domains: principal.visible_domains().map(<[String]>::to_vec),
            domain: filter.domain.clone(),
            app: filter.app.clone(),
            stream: None,
            search: filter.search.clone(),
            renditions: filter.renditions.unwrap_or(Renditions::Include),
        };
        let cutoff = ReportCutoff::passing(now);
        let counted = concurrency_report::count(state.report_pool.clone(), &selection, STEP, &cutoff);
        let counted = timeout(CHART_TIMEOUT, counted).await.ok().and_then(Result::ok);
        let (points, peak) = counted.unwrap_or_default();
        Self { from, to, points, peak: peak.map_or(0, |peak| peak.live_sessions) }
    }

    pub fn show(&self, view: View) -> Markup {
        let label = view.language.live_last_day(&words::count(self.peak));
        let value = |point: &Point| Value { at: point.at, count: point.live_sessions };
        let values: Vec<Value> = self.points.iter().map(value).collect();
        html! {
            @if !values.is_empty() {
                figure.day {
                    figcaption { (label) }
                    (chart::line(view, self.from, self.to, &values, &label))
                }
            }
        }
    }
}
