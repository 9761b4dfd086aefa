//! The page of reports: last month in the visitor's time zone, unless another period is chosen.

use std::cmp::Reverse;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::DateTime;
use maud::{Markup, html};

use super::super::chart::{self, CountAt};
use super::super::draft::Draft;
use super::super::error::PageError;
use super::super::layout::{self, NavItem};
use super::super::view::View;
use super::super::visitor::{BillingVisitor, Visitor};
use super::super::{links, words};
use super::choices::{Choices, SortBy};
use super::unsettled::Unsettled;
use super::{ReportAt, closing, naming, restrict, sealed_list, table, unsettled};
use crate::access::Principal;
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::reports;
use crate::http::reports::push_duration::PushDurationQuery;
use crate::http::reports::timing::{Kind, Timing};
use crate::model::report::{Certainty, GroupBy};
use crate::report::concurrency::Point;
use crate::report::concurrency_report::LivePushes;
use crate::report::push_duration::{NamedRow, PushDuration};
use crate::report::sweep::WindowTotals;
use crate::report::{ReportError, concurrency_report};
use crate::store;

/// Maximum rows of a table; files have all.
pub const MAX_ROWS: usize = 500;

/// Points of the concurrency chart.
const POINTS: i64 = 240;

/// A report with all that its page shows.
struct ShownReport {
    report: ReportAt,
    rows: Vec<NamedRow>,
    more: bool,
    totals: WindowTotals,
    concurrency: LivePushes,
    unsettled: Unsettled,
}

#[get("/reports")]
pub async fn show_reports(
    visitor: BillingVisitor,
    state: Data<AppState>,
    choices: Result<Query<Choices>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let mut visitor = visitor.0;
    let Query(choices) = choices?;
    // All of the page is in the time zone of the report.
    visitor.view.zone = choices.zone.unwrap_or(visitor.view.zone);
    let view = visitor.view;
    let domains = list_domains(&state, &visitor.principal).await?;
    let sealed = sealed_list::list(&state, &visitor.principal).await?;
    let (shown, draft) = match choices.resolve(view) {
        Ok(query) => (Some(compute(&state, &visitor.principal, query, choices.sort).await?), Draft::default()),
        Err(error) => (None, Draft::of_error(error)),
    };
    let closed = closing::outcome(&state, &visitor, choices.closed).await?;
    let content = html! {
        h1 { (view.language.reports()) }
        (closed)
        (choices.form(view, &domains, &draft))
        @if let Some(shown) = &shown { (report(&visitor, &choices, shown)) }
        (sealed_list::section(view, &sealed))
    };
    Ok(draft.answer(layout::page(&visitor, NavItem::Reports, &view.language.reports(), &content)))
}

/// The registered domains that the visitor may see.
async fn list_domains(state: &AppState, principal: &Principal) -> Result<Vec<String>, sqlx::Error> {
    let domains = store::domain::list_domains(&state.work_pool).await?;
    Ok(domains.into_iter().map(|row| row.domain).filter(|domain| principal.sees(domain)).collect())
}

async fn compute(
    state: &AppState,
    principal: &Principal,
    query: PushDurationQuery,
    sort: SortBy,
) -> Result<ShownReport, PageError> {
    let _timing = Timing::begin(Kind::Dashboard);
    let query = restrict(query, principal);
    let cutoff = reports::close(state, query.asked.as_of).await?;
    let report = ReportAt::new(query, cutoff.at);
    let selection = &report.selection;
    let mut counting = PushDuration::begin(state.report_pool.clone(), selection, report.layout, &cutoff, None);
    let (rows, more) = read_rows(&mut counting, sort).await?;
    let totals = counting.finish().await?;
    let step = ((selection.to - selection.from).num_seconds() / POINTS).max(60);
    let counting = concurrency_report::count(state.report_pool.clone(), selection, step, GroupBy::NOTHING, &cutoff);
    let concurrency = counting.await?;
    let unsettled = unsettled::find(state, principal, &report, &totals).await?;
    Ok(ShownReport { report, rows, more, totals, concurrency, unsettled })
}

/// The rows of the table, and whether there are more.
async fn read_rows(report: &mut PushDuration, sort: SortBy) -> Result<(Vec<NamedRow>, bool), ReportError> {
    let largest_first = |rows: &mut Vec<NamedRow>| rows.sort_by_key(|row| Reverse(row.counts.push_seconds()));
    let (mut rows, mut more) = (Vec::new(), false);
    while let Some(row) = report.next_row().await? {
        rows.push(row);
        match sort {
            SortBy::Name if rows.len() > MAX_ROWS => {
                more = true;
                break;
            }
            // Not after each row, as sorting takes longer than reading one.
            SortBy::PushTime if rows.len() > 2 * MAX_ROWS => {
                largest_first(&mut rows);
                rows.truncate(MAX_ROWS);
                more = true;
            }
            SortBy::Name | SortBy::PushTime => {}
        }
    }
    if sort == SortBy::PushTime {
        largest_first(&mut rows);
    }
    more |= rows.len() > MAX_ROWS;
    rows.truncate(MAX_ROWS);
    Ok((rows, more))
}

fn report(visitor: &Visitor, choices: &Choices, shown: &ShownReport) -> Markup {
    let (view, report) = (visitor.view, &shown.report);
    let text = view.language;
    let name = naming::period(text, report.period());
    html! {
        h2 { (name) " · " (view.zone.name()) }
        p.hint {
            (words::fill(&text.reports_as_of(), &[words::time(view, report.as_of)]))
            @if !report.is_over() { " " (text.reports_not_over()) }
        }
        (figures(view, report, &shown.totals))
        (unsettled::card(visitor, report, &shown.unsettled))
        div.actions {
            a.button.primary href=(report.path(&links::page("reports/file"))) { (text.file_excel()) }
            a.button href=(format!("{}&format=csv", report.path("/v1/reports/push-duration"))) { (text.file_csv()) }
            a.button href=(report.path(&links::page("reports/close"))) { (text.reports_close(&name)) }
        }
        @if shown.rows.is_empty() {
            div.card role="status" { p { strong { (text.reports_empty()) } } p.hint { (text.reports_empty_hint()) } }
        } @else {
            @if shown.more { p.hint { (rows_note(view, choices.sort)) } }
            (table::table(view, choices, report, &shown.rows, &shown.totals))
            (table::legend(text))
        }
        (concurrency(view, report, &shown.concurrency))
    }
}

fn rows_note(view: View, sort: SortBy) -> String {
    let rows = words::count(MAX_ROWS as u64);
    match sort {
        SortBy::Name => view.language.reports_first_rows(&rows),
        SortBy::PushTime => view.language.reports_largest_rows(&rows),
    }
}

fn figures(view: View, report: &ReportAt, totals: &WindowTotals) -> Markup {
    let text = view.language;
    let figure = |number: &Markup, name: &str, certainty: Option<Certainty>| {
        html! {
            a.figure href=(report.sessions(certainty)) title=(text.reports_show_sessions()) { strong { (number) } span { (name) } }
        }
    };
    let hours = |seconds: i64| words::hours(seconds);
    html! {
        div.figures.hours {
            (figure(&hours(totals.push_seconds()), &text.reports_push_hours(), None))
            (figure(&hours(totals.on_air_seconds), &text.reports_on_air_hours(), None))
            (figure(&hours(totals.estimated_seconds), &text.reports_estimated(), Some(Certainty::Estimated)))
            (figure(&hours(totals.open_seconds), &text.reports_open(), Some(Certainty::Open)))
            (figure(&html! { (words::count(totals.sessions)) }, &text.reports_sessions(), None))
            (figure(&html! { (words::count(totals.peak_live_sessions)) }, &text.reports_peak_sessions(), None))
        }
    }
}

fn concurrency(view: View, report: &ReportAt, counted: &LivePushes) -> Markup {
    let text = view.language;
    let Some(peak) = counted.peak else { return html! {} };
    let value = |point: &Point| CountAt { at: point.at, count: point.live_streams };
    let values: Vec<_> = counted.points.iter().map(value).collect();
    let at = DateTime::from_timestamp(peak.at, 0).unwrap_or_default();
    let caption = text.reports_peak_at(&words::count(peak.live_sessions), &words::count(peak.live_streams));
    html! {
        h2 { (text.reports_concurrent()) }
        figure {
            (chart::line(view, report.selection.from, report.selection.to, &values, &text.reports_concurrent()))
            figcaption { (words::fill(&caption, &[words::time(view, at)])) }
        }
    }
}
