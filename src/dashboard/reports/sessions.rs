//! The sessions behind a number of a report, as of the moment of the report.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::super::error::PageError;
use super::super::layout::{self, NavItem};
use super::super::texts::Language;
use super::super::visitor::{BillingVisitor, Visitor};
use super::super::{links, words};
use super::table::{certainty_name, seconds_of};
use super::{ReportAt, naming, restrict};
use crate::api::page::PageRequest;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::reports;
use crate::http::reports::push_duration::PushDurationQuery;
use crate::http::reports::timing::{Kind, Timing};
use crate::model::access::Scope;
use crate::model::parameter::Parameters;
use crate::model::report::Certainty;
use crate::query::Rows;
use crate::report::counted::{self, Counted};
use crate::report::sweep::WindowTotals;

/// The parameters of the report, one of its certainties, and a page.
pub struct SessionsQuery {
    page: PageRequest<(DateTime<Utc>, Uuid)>,
    counted_as: Option<Certainty>,
    report: PushDurationQuery,
}

impl FromQuery for SessionsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        Self { page, counted_as: query.get("counted_as"), report: PushDurationQuery::from_query(query) }
    }
}

#[get("/reports/sessions")]
pub async fn show_report_sessions(
    visitor: BillingVisitor,
    state: Data<AppState>,
    asked: Result<Query<SessionsQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let mut visitor = visitor.0;
    let Query(SessionsQuery { page, counted_as, report: query }) = asked?;
    let _timing = Timing::begin(Kind::CountedSessions);
    let query = restrict(query, &visitor.principal);
    let (page_as_of, after) = page.after.unzip();
    let cutoff = reports::close(&state, page_as_of.or(query.asked.as_of)).await?;
    let report = ReportAt::new(query, cutoff.at);
    visitor.view = report.view(visitor.view);
    let limit = i64::from(page.limit) + 1;
    let rows = counted::list(&state.report_pool, &report.selection, &cutoff, counted_as, after, limit).await?;
    // Only on the first page: they take as long as the report.
    let totals = if after.is_none() { Some(report.total(&state, &cutoff).await?) } else { None };
    let place = |row: &Counted| (cutoff.at, row.push.session_id);
    let (rows, next) = page.page(Rows::of(rows, page.limit), place, |row| row);
    let content = content(&visitor, &report, counted_as, &rows, totals.as_ref(), next.as_deref());
    Ok(layout::page(&visitor, NavItem::Reports, &visitor.view.language.reports_sessions_title(), &content))
}

fn content(
    visitor: &Visitor,
    report: &ReportAt,
    counted_as: Option<Certainty>,
    rows: &[Counted],
    totals: Option<&WindowTotals>,
    next: Option<&str>,
) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let next = next.map(|cursor| with_cursor(&visitor.path, cursor));
    html! {
        h1 { (text.reports_sessions_title()) }
        (subject(text, report))
        p.hint { (text.reports_sessions_hint()) " " (words::fill(&text.reports_as_of(), &[words::time(view, report.as_of)])) }
        nav.tabs aria-label=(text.reports_certainty()) {
            (tab(report, counted_as, None, &text.all(), totals.map(WindowTotals::push_seconds)))
            @for certainty in Certainty::ALL {
                @let seconds = totals.map(|totals| seconds_of(totals, *certainty));
                (tab(report, counted_as, Some(*certainty), &certainty_name(text, *certainty), seconds))
            }
        }
        @if rows.is_empty() {
            div.card role="status" { p { (text.reports_no_sessions()) } }
        } @else {
            div.actions {
                a.button href=(report.sessions_at(&links::page("reports/sessions/file"), counted_as)) { (text.file_excel()) }
                a.button href=(format!("{}&format=csv", report.sessions_at("/v1/reports/push-duration/sessions", counted_as))) {
                    (text.file_csv())
                }
            }
            (table(visitor, rows))
        }
        div.actions {
            @if let Some(next) = &next { a.button href=(next) rel="next" { (text.next_page()) } }
            @if totals.is_none() { a.button href=(report.sessions(counted_as)) { (text.first_page()) } }
            a href=(report.page(&[])) { (text.reports_back()) }
        }
    }
}

/// The same request, which a cursor is bound to, with this cursor.
fn with_cursor(path: &str, cursor: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parameters = query.split('&').filter(|parameter| !parameter.starts_with("cursor="));
    let parameters = parameters.chain([format!("cursor={cursor}").as_str()]).collect::<Vec<_>>().join("&");
    format!("{path}?{parameters}")
}

/// The period and the names that the sessions are of.
fn subject(text: Language, report: &ReportAt) -> Markup {
    let selection = &report.selection;
    let names: Vec<_> = [&selection.domain, &selection.app, &selection.stream].into_iter().flatten().collect();
    html! {
        p.path {
            (naming::period(text, report.period())) " · " (report.layout.time_zone.name())
            @for (number, name) in names.iter().enumerate() { @if number == 0 { " · " } @else { " / " } bdi { (name) } }
        }
    }
}

fn tab(
    report: &ReportAt,
    current: Option<Certainty>,
    certainty: Option<Certainty>,
    name: &str,
    seconds: Option<i64>,
) -> Markup {
    html! {
        a href=(report.sessions(certainty)) aria-current=[(current == certainty).then_some("true")] {
            @if let Some(certainty) = certainty { span.swatch.(certainty.as_str()) {} " " }
            (name) @if let Some(seconds) = seconds { " " span.muted { (words::hours(seconds)) } }
        }
    }
}

fn table(visitor: &Visitor, rows: &[Counted]) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        div.scroll { table {
            thead { tr {
                th { (text.stream()) } th { (text.started()) } th { (text.ended()) }
                th.number { (text.reports_counted()) } th.number { (text.reports_hours()) }
                th { (text.reports_certainty()) } th { (text.reports_end()) }
            } }
            tbody { @for row in rows { (session(visitor, row)) } }
        } }
    }
}

fn session(visitor: &Visitor, Counted { push, seconds }: &Counted) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let certainty = Certainty::of(push.ended_at_source);
    let page = links::session(push.session_id);
    let can_set_end = certainty != Certainty::Confirmed && visitor.principal.may(Scope::Admin);
    let name = html! { bdi { (push.stream) } };
    html! {
        tr {
            td.name {
                @if visitor.principal.may(Scope::Read) { a href=(page) { (name) } } @else { (name) }
                " " span.muted { bdi { (push.domain) } " / " bdi { (push.app) } }
            }
            td data-label=(text.started()) { (words::time(view, push.started_at)) }
            td data-label=(text.ended()) { (words::maybe_time(view, push.ended_at)) }
            td.number data-label=(text.reports_counted()) { (words::lasted(view, *seconds)) }
            td.number data-label=(text.reports_hours()) { (words::decimal_hours(*seconds)) }
            td { span.swatch.(certainty.as_str()) {} " " (certainty_name(text, certainty)) }
            td {
                (words::end_source(text, push.ended_at_source))
                @if can_set_end { " " a.button.small href=(format!("{page}/end")) { (text.set_end()) } }
            }
        }
    }
}
