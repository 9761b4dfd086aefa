//! Live streams: counts, a table, and the last 24 hours.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use maud::{Markup, html};

use super::error::PageError;
use super::layout::{self, NavItem};
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::api::page::PageRequest;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::filter::{LiveFilter, StreamFilter};
use crate::model::session::{LiveGrouping, Renditions, StreamStatus};
use crate::query;
use crate::query::live::LiveCounts;
use crate::report::concurrency::Point;
use crate::report::concurrency_report;
use crate::report::cutoff::ReportCutoff;
use crate::report::parameters::ReportSelection;
use crate::store::stream::{AfterStream, StreamRow};

/// The interval of the chart of the last 24 hours, in seconds.
const STEP: i64 = 900;

pub struct LivePage {
    page: PageRequest<AfterStream>,
    domain: Option<String>,
    app: Option<String>,
    search: Option<String>,
}

impl FromQuery for LivePage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        let page = PageRequest::from_query(query);
        Self { page, domain: query.string("domain"), app: query.string("app"), search: query.string("search") }
    }
}

#[get("")]
pub async fn show_live(
    visitor: Visitor,
    state: Data<AppState>,
    asked: Result<Query<LivePage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let Query(asked) = asked?;
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let visible_domains = principal.visible_domains();
    let filter = LiveFilter { domain: asked.domain.clone(), app: asked.app.clone(), renditions: None };
    let grouping = Some(LiveGrouping::DomainAndApp);
    let counts = query::live::count_live(pool, visible_domains, &filter, state.unconfirmed_after, grouping).await?;
    let streams = StreamFilter {
        domain: asked.domain.clone(),
        app: asked.app.clone(),
        search: asked.search.clone(),
        status: Some(StreamStatus::Live),
        ..StreamFilter::default()
    };
    let after = asked.page.after.clone();
    let rows = query::streams::list_streams(pool, principal, &streams, after, asked.page.limit).await?;
    let name = |row: &StreamRow| (row.domain.clone(), row.app.clone(), row.stream.clone());
    let (rows, next) = asked.page.page(rows, name, |row| row);
    let day = last_day(&state, visible_domains.map(<[String]>::to_vec), &asked, counts.as_of).await;
    Ok(layout::page(
        &visitor,
        NavItem::Live,
        "Live",
        &content(view, &asked, &counts, &rows, next.as_deref(), &day, &state),
    ))
}

/// The live sessions of the last 24 hours; empty if they cannot be computed now.
async fn last_day(
    state: &AppState,
    visible_domains: Option<Vec<String>>,
    asked: &LivePage,
    now: DateTime<Utc>,
) -> Vec<Point> {
    let to = now.trunc_subsecs(0);
    let selection = ReportSelection {
        from: to - TimeDelta::hours(24),
        to,
        visible_domains,
        domain: asked.domain.clone(),
        app: asked.app.clone(),
        stream: None,
        renditions: Renditions::Include,
    };
    let counted =
        concurrency_report::count(state.report_pool.clone(), &selection, STEP, &ReportCutoff::passing(now)).await;
    counted.map(|(points, _)| points).unwrap_or_default()
}

fn content(
    view: View,
    asked: &LivePage,
    counts: &LiveCounts,
    rows: &[StreamRow],
    next: Option<&str>,
    day: &[Point],
    state: &AppState,
) -> Markup {
    let whole = &counts.whole;
    html! {
        h1 { "Live" }
        div.figures #counts {
            (figure(whole.live_streams, "live streams"))
            (figure(whole.live_sessions, "live sessions"))
            (figure(whole.unconfirmed_sessions, "unconfirmed"))
            (sparkline(day))
        }
        (filters(asked))
        @if counts.groups.len() > 1 {
            details open[counts.groups.len() <= 8] {
                summary { (counts.groups.len()) " apps" }
                ul.groups {
                    @for group in &counts.groups {
                        li {
                            a href=(link(&[("domain", Some(&group.domain)), ("app", group.app.as_deref())])) {
                                (group.domain) " / " (group.app.as_deref().unwrap_or_default())
                            }
                            " " span.count { (group.counts.live_streams) }
                        }
                    }
                }
            }
        }
        p #news.hint role="status" aria-live="polite" {}
        @if rows.is_empty() {
            div.card #empty {
                p { @if asked.is_filtered() { "No live stream matches the filter." } @else { "No stream is live." } }
                @if asked.is_filtered() { p { a href=(ROOT) { "Show all" } } }
                @else {
                    p.hint {
                        "A stream appears within a second of its start callback. No domain yet? "
                        code { "streamtally domain add DOMAIN" }
                    }
                }
            }
        }
        @if !rows.is_empty() || asked.page.after.is_none() {
            table #streams data-follow="streams" data-changes=(changes_path(asked)) data-unconfirmed-after=(state.unconfirmed_after.num_seconds()) {
                thead { tr { th { "Stream" } th { "Domain" } th { "App" } th { "Live since" } th.number { "Duration" } th.number { "Sessions" } } }
                tbody {
                    @for row in rows { (stream_row(view, row, counts.as_of, state.unconfirmed_after)) }
                }
            }
        }
        @if let Some(next) = next {
            p { a href=(link(&[("domain", asked.domain.as_deref()), ("app", asked.app.as_deref()), ("search", asked.search.as_deref()), ("cursor", Some(next))])) { "Next page" } }
        }
    }
}

impl LivePage {
    fn is_filtered(&self) -> bool {
        self.domain.is_some() || self.app.is_some() || self.search.is_some()
    }
}

fn figure(count: i64, name: &str) -> Markup {
    html! { div.figure { strong { (count) } " " span { (name) } } }
}

fn filters(asked: &LivePage) -> Markup {
    let field = |name: &str, label: &str, value: &Option<String>| {
        html! {
            label { (label) input type="text" name=(name) value=[value.as_deref()]; }
        }
    };
    html! {
        form.filters method="get" action=(ROOT) role="search" {
            (field("domain", "Domain", &asked.domain))
            (field("app", "App", &asked.app))
            (field("search", "Name contains", &asked.search))
            button { "Filter" }
        }
    }
}

fn stream_row(view: View, row: &StreamRow, as_of: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Markup {
    let since = row.live_since.unwrap_or(as_of);
    let unconfirmed = as_of - since > unconfirmed_after;
    html! {
        tr data-stream=(row.stream_id) class=[unconfirmed.then_some("stale")] {
            td.name { a href=(format!("{ROOT}/streams/{}", row.stream_id)) { bdi { (row.stream) } } @if unconfirmed { " " (words::state(view, true, true)) } }
            td { (row.domain) }
            td { (row.app) }
            td data-label="live since" { (words::time(view, since)) }
            td.number data-label="duration" { (words::clock(view, since)) }
            td.number data-label="sessions" { (row.live_sessions) }
        }
    }
}

/// A chart of the live sessions of a day.
fn sparkline(day: &[Point]) -> Markup {
    const WIDTH: u32 = 240;
    const HEIGHT: u32 = 48;
    let most = day.iter().map(|point| point.live_sessions).max().unwrap_or_default();
    if most == 0 {
        return html! {};
    }
    let last = u32::try_from(day.len().saturating_sub(1)).unwrap_or(1).max(1);
    let place = |(number, point): (u32, &Point)| {
        let (x, y) = (number * WIDTH / last, HEIGHT - point.live_sessions * HEIGHT / most);
        format!("{x},{y}")
    };
    let line: Vec<String> = (0..).zip(day).map(place).collect();
    let label = format!("Live sessions in the last 24 hours, peak {most}");
    html! {
        figure.sparkline {
            svg viewBox=(format!("0 -2 {WIDTH} {}", HEIGHT + 4)) role="img" aria-label=(label) preserveAspectRatio="none" {
                polyline points=(line.join(" ")) {}
            }
            figcaption { "Last 24 hours, peak " (most) }
        }
    }
}

fn link(parameters: &[(&str, Option<&str>)]) -> String {
    words::path(ROOT, parameters)
}

fn changes_path(asked: &LivePage) -> String {
    words::path("/v1/live/changes", &[("domain", asked.domain.as_deref()), ("app", asked.app.as_deref())])
}
