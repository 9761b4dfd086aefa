//! The chart of the last 24 hours.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SubsecRound, TimeDelta};
use maud::{Markup, html};
use tokio::time::timeout;

use crate::access::Principal;
use crate::app::page_caches::{LastDay, VisibleDomains};
use crate::app::state::AppState;
use crate::dashboard::chart::{self, CountAt};
use crate::dashboard::view::View;
use crate::dashboard::words;
use crate::model::filter::LiveFilter;
use crate::model::report::GroupBy;
use crate::model::session::Renditions;
use crate::platform::clock;
use crate::report::concurrency::Point;
use crate::report::concurrency_report;
use crate::report::concurrency_report::LivePushes;
use crate::report::cutoff::ReportCutoff;
use crate::report::parameters::ReportSelection;

const PERIOD: TimeDelta = TimeDelta::hours(24);

/// The interval of its points, in seconds.
const STEP: i64 = 900;

/// Reports have few connections: a page does not wait for long ones.
const CHART_TIMEOUT: Duration = Duration::from_secs(2);

/// The live sessions of the last 24 hours, some seconds old at most; `None` if they cannot be computed now.
pub async fn read_last_day(state: &AppState, principal: &Principal, filter: &LiveFilter) -> Option<Arc<LastDay>> {
    let visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let key = (visible_domains.clone(), filter.clone());
    state.page_caches.days.try_get_with(key, count(state, visible_domains, filter)).await.ok()
}

async fn count(state: &AppState, visible_domains: VisibleDomains, filter: &LiveFilter) -> anyhow::Result<Arc<LastDay>> {
    let now = clock::now();
    let until = now.trunc_subsecs(0);
    let selection = ReportSelection {
        from: until - PERIOD,
        to: until,
        visible_domains,
        domain: filter.domain.clone(),
        app: filter.app.clone(),
        stream: None,
        search: filter.search.clone(),
        renditions: filter.renditions.unwrap_or(Renditions::Include),
    };
    let cutoff = ReportCutoff::passing(now);
    let counting = concurrency_report::count(state.report_pool.clone(), &selection, STEP, GroupBy::NOTHING, &cutoff);
    let LivePushes { points, peak, .. } = timeout(CHART_TIMEOUT, counting).await??;
    Ok(Arc::new(LastDay { until, points, peak: peak.map_or(0, |peak| peak.live_sessions) }))
}

pub fn chart_of_day(view: View, day: Option<&LastDay>) -> Markup {
    let Some(LastDay { until, points, peak }) = day else { return html! {} };
    let label = view.language.live_last_day(&words::count(*peak));
    let value = |point: &Point| CountAt { at: point.at, count: point.live_sessions };
    let values: Vec<CountAt> = points.iter().map(value).collect();
    html! {
        figure.day {
            figcaption { (label) }
            (chart::line(view, *until - PERIOD, *until, &values, &label))
        }
    }
}
