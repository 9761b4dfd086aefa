//! Reports of a month: a table with bars, CSV, sealed reports, and peak concurrency.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use maud::{Markup, html};
use serde_json::Value;

use super::error::PageError;
use super::form::{self, SubmittedForm};
use super::layout::{self, NavItem};
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::reports::push_duration::PushDurationQuery;
use crate::http::reports::timing::{Kind, Timing};
use crate::http::reports::{self, sealed};
use crate::model::access::Scope;
use crate::model::parameter::Parameters;
use crate::model::report::{GroupBy, SealedReportStatus, WindowSize};
use crate::model::session::Renditions;
use crate::platform::clock;
use crate::report::concurrency::Point;
use crate::report::concurrency_report;
use crate::report::push_duration::{NamedRow, PushDuration};
use crate::report::sweep::WindowTotals;
use crate::store;
use crate::store::sealed_report::SealedReportRow;

/// Maximum rows of a table; CSV has all.
const MAX_ROWS: usize = 500;

/// Points of the concurrency chart.
const POINTS: i64 = 240;

const MAX_SEALED_REPORTS: i64 = 20;

const GROUPS: [(&str, &str); 4] =
    [("domain", "domain"), ("domain,app", "domain and app"), ("domain,app,stream", "stream"), ("app", "app")];
const WINDOWS: [(&str, &str); 2] = [("none", "whole month"), ("day", "day")];

/// The parameters of the page; the default is the current month.
pub struct ReportsPage {
    month: Option<NaiveDate>,
    time_zone: String,
    group_by: GroupBy,
    window: WindowSize,
    renditions: Renditions,
}

impl FromQuery for ReportsPage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        let month = query.parse("month", "a month such as 2026-10, of the years 1970 to 2099", |text| {
            let month = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok();
            month.filter(|month| (1970..2100).contains(&month.year()))
        });
        Self {
            month,
            time_zone: query.string("time_zone").unwrap_or_else(|| "UTC".to_owned()),
            group_by: query.get("group_by").unwrap_or_default(),
            window: query.get("window").unwrap_or_default(),
            renditions: query.get("renditions").unwrap_or(Renditions::Exclude),
        }
    }
}

impl ReportsPage {
    fn month(&self) -> NaiveDate {
        let today = clock::now().date_naive();
        self.month.or(today.with_day(1)).unwrap_or(today)
    }

    /// The parameters of the API.
    fn parameters(&self) -> [(&'static str, String); 6] {
        let month = self.month();
        [
            ("from", month.to_string()),
            ("to", (month + Months::new(1)).to_string()),
            ("time_zone", self.time_zone.clone()),
            ("group_by", self.group_by.as_str().to_owned()),
            ("window", self.window.to_string()),
            ("renditions", self.renditions.to_string()),
        ]
    }

    fn link(&self, path: &str, more: &[(&str, Option<&str>)]) -> String {
        let parameters = self.parameters();
        let own = parameters.iter().map(|(name, value)| (*name, Some(value.as_str())));
        words::path(path, &own.chain(more.iter().copied()).collect::<Vec<_>>())
    }
}

#[get("/reports")]
pub async fn show_reports(
    visitor: Visitor,
    state: Data<AppState>,
    asked: Result<Query<ReportsPage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let Query(page) = asked?;
    visitor.require_scope(Scope::Billing)?;
    let query = read(&page, &visitor)?;
    let selection = &query.asked.selection;
    let layout = query.layout;
    let _timing = Timing::begin(Kind::Dashboard);
    let cutoff = reports::close(&state, None).await?;
    let as_of = cutoff.at;
    let mut report = PushDuration::begin(state.report_pool.clone(), selection, layout, &cutoff, None);
    let mut rows = Vec::new();
    while rows.len() <= MAX_ROWS
        && let Some(row) = report.next_row().await?
    {
        rows.push(row);
    }
    let totals = report.finish().await?;
    let step = ((selection.to - selection.from).num_seconds() / POINTS).max(60);
    let concurrency = concurrency_report::count(state.report_pool.clone(), selection, step, &cutoff).await?;
    let visible = visitor.principal.visible_domains();
    let sealed = store::sealed_report::list_sealed_reports(&state.work_pool, visible, None, MAX_SEALED_REPORTS).await?;
    let content = html! {
        h1 { "Reports" }
        (choices(&page))
        @if rows.is_empty() {
            div.card { p { "No sessions in this month." } p.hint { "Choose another month or time zone." } }
        } @else {
            (table(view, &page, &rows, &totals))
        }
        p.hint { "As of " (words::time(view, as_of)) ": later events do not count." }
        (actions(&visitor, &page))
        (concurrency_chart(view, &concurrency))
        (sealed_list(view, &sealed))
    };
    Ok(layout::page(&visitor, NavItem::Reports, "Reports", &content))
}

#[post("/reports/seal")]
pub async fn seal_report(submitted: SubmittedForm, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Billing)?;
    let parameters = submitted.members().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    sealed::seal(&state, &submitted.visitor.principal, parameters).await?;
    Ok(layout::redirect_to(&format!("{ROOT}/reports#sealed")))
}

/// Parses the parameters as the API does.
fn read(page: &ReportsPage, visitor: &Visitor) -> Result<PushDurationQuery, PageError> {
    let members = page.parameters().into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
    let mut reader = QueryReader::of_members(ROOT, members);
    let mut query = PushDurationQuery::read(&mut reader);
    reader.reject_unknown()?;
    query.asked.selection.visible_domains = visitor.principal.visible_domains().map(<[String]>::to_vec);
    Ok(query)
}

fn choices(page: &ReportsPage) -> Markup {
    let choice = |name: &str, label: &str, words: &[(&str, &str)], chosen: &str| {
        html! {
            label { (label)
                select name=(name) {
                    @for (word, shown) in words { option value=(word) selected[*word == chosen] { (shown) } }
                }
            }
        }
    };
    let renditions = [("exclude", "without renditions"), ("include", "with renditions"), ("only", "renditions only")];
    html! {
        form.filters method="get" action=(format!("{ROOT}/reports")) {
            label { "Month" input type="month" name="month" value=(page.month().format("%Y-%m").to_string()); }
            label { "Time zone" input type="text" name="time_zone" value=(page.time_zone) list="zones"; }
            datalist #zones { @for zone in chrono_tz::TZ_VARIANTS { option value=(zone.name()) {} } }
            (choice("group_by", "Group by", &GROUPS, page.group_by.as_str()))
            (choice("window", "Row per", &WINDOWS, page.window.as_str()))
            (choice("renditions", "Renditions", &renditions, page.renditions.as_str()))
            button { "Show" }
        }
    }
}

fn table(view: View, page: &ReportsPage, rows: &[NamedRow], totals: &WindowTotals) -> Markup {
    let most = rows.iter().map(|row| row.counts.push_seconds()).max().unwrap_or(1).max(1);
    let windows = page.window != WindowSize::Whole;
    html! {
        @if rows.len() > MAX_ROWS { p.hint { "The first " (MAX_ROWS) " rows; the CSV has all." } }
        table.report {
            thead { tr {
                @if windows { th { "From" } }
                th { "Group" } th.number { "Sessions" } th.number { "Push time" } th.chart { "Share" }
                th.number { "Estimated" } th.number { "Open" } th.number { "On air" } th.number { "Peak" }
            } }
            tbody { @for row in rows.iter().take(MAX_ROWS) {
                tr {
                    @if windows { td.when { (words::date(view, row.window_start)) } }
                    td.name { (name(row)) }
                    (counts(view, &row.counts, Some(most)))
                }
            } }
            tfoot { tr { @if windows { td {} } td { "Total" } (counts(view, totals, None)) } }
        }
        p.hint.key { span.swatch.confirmed {} " confirmed " span.swatch.estimated {} " estimated " span.swatch.open {} " open: still live" }
    }
}

fn name(row: &NamedRow) -> Markup {
    let parts = [&row.name.domain, &row.name.app, &row.name.stream];
    html! { @for (number, part) in parts.into_iter().flatten().enumerate() { @if number > 0 { " / " } bdi { (part) } } }
}

/// The cells of a row; with a bar relative to `most`.
fn counts(view: View, counts: &WindowTotals, most: Option<i64>) -> Markup {
    html! {
        td.number data-label="sessions" { (counts.sessions) }
        td.number data-label="push time" title=(format!("{} seconds", counts.push_seconds())) { (words::lasted(view, counts.push_seconds())) }
        td.chart { @if let Some(most) = most { (bar(counts, most)) } }
        td.number data-label="estimated" { (words::lasted(view, counts.estimated_seconds)) }
        td.number data-label="open" { (words::lasted(view, counts.open_seconds)) }
        td.number data-label="on air" { (words::lasted(view, counts.on_air_seconds)) }
        td.number data-label="peak" { (counts.peak_live_sessions) }
    }
}

fn bar(counts: &WindowTotals, most: i64) -> Markup {
    const WIDTH: i64 = 200;
    let mut from = 0;
    let kinds = [
        ("confirmed", counts.confirmed_seconds),
        ("estimated", counts.estimated_seconds),
        ("open", counts.open_seconds),
    ];
    let parts = kinds.map(|(class, seconds)| {
        let begin = from;
        from += seconds;
        (class, begin * WIDTH / most, from * WIDTH / most)
    });
    html! {
        svg viewBox=(format!("0 0 {WIDTH} 14")) aria-hidden="true" preserveAspectRatio="none" {
            @for (class, begin, end) in parts {
                @if end > begin { rect.(class) x=(begin) width=(end - begin) height="14" {} }
            }
        }
    }
}

fn actions(visitor: &Visitor, page: &ReportsPage) -> Markup {
    html! {
        div.actions {
            a.button href=(page.link("/v1/reports/push-duration", &[("format", Some("csv"))])) { "CSV" }
            (form::form(visitor, "", &format!("{ROOT}/reports/seal"), &html! {
                @for (name, value) in page.parameters() { input type="hidden" name=(name) value=(value); }
                button title="Store this report byte for byte" { "Seal" }
            }))
        }
    }
}

fn concurrency_chart(view: View, (points, peak): &(Vec<Point>, Option<Point>)) -> Markup {
    const WIDTH: u64 = 1_000;
    const HEIGHT: u64 = 160;
    let Some(peak) = peak else { return html! {} };
    let most = u64::from(peak.live_sessions.max(1));
    let last = u64::try_from(points.len().saturating_sub(1)).unwrap_or(1).max(1);
    let place = |(number, point): (u64, &Point)| {
        format!("{},{}", number * WIDTH / last, HEIGHT - u64::from(point.live_sessions) * HEIGHT / most)
    };
    let line: Vec<String> = (0..).zip(points).map(place).collect();
    let at = DateTime::<Utc>::from_timestamp(peak.at, 0).unwrap_or_default();
    html! {
        h2 { "Concurrent sessions" }
        figure.sparkline.wide {
            svg viewBox=(format!("0 -4 {WIDTH} {}", HEIGHT + 8)) role="img" aria-label="Concurrent sessions over the month" preserveAspectRatio="none" {
                polyline points=(line.join(" ")) {}
            }
            figcaption { "Peak: " (peak.live_sessions) " sessions of " (peak.live_streams) " streams, at " (words::time(view, at)) }
        }
    }
}

fn sealed_list(view: View, sealed: &[SealedReportRow]) -> Markup {
    let of = |row: &SealedReportRow, member: &str| {
        row.parameters.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let day = |time: String| time.split('T').next().unwrap_or_default().to_owned();
    html! {
        h2 #sealed { "Sealed reports" }
        @if sealed.is_empty() {
            p.hint { "None yet. A sealed report is stored byte for byte with its SHA-256; later events do not change it." }
        } @else {
            table {
                thead { tr { th { "Sealed" } th { "By" } th { "Period" } th { "Grouped by" } th.number { "Rows" } th.number { "Push time" } th { "SHA-256" } th { "Links" } } }
                tbody { @for row in sealed { tr {
                    td { (words::time(view, row.sealed_at)) }
                    td { bdi { (row.actor) } }
                    td { (day(of(row, "from"))) " – " (day(of(row, "to"))) " " (of(row, "time_zone")) }
                    td { (of(row, "group_by")) }
                    td.number data-label="rows" { @if let Some(rows) = row.row_count { (rows) } }
                    td.number { @if let Some(seconds) = push_seconds(row) { (words::lasted(view, seconds)) } }
                    td { (seal_state(row)) }
                    td { @if row.status == SealedReportStatus::Sealed {
                        a href=(format!("/v1/sealed-reports/{}?format=csv", row.sealed_report_id)) { "CSV" } " "
                        a href=(format!("{ROOT}/reports/sealed/{}", row.sealed_report_id)) { "changes" }
                    } }
                } } }
            }
        }
    }
}

fn push_seconds(row: &SealedReportRow) -> Option<i64> {
    row.totals.as_ref()?.get("push_seconds")?.as_i64()
}

/// The hash of a sealed report, otherwise its status.
fn seal_state(row: &SealedReportRow) -> Markup {
    let sha256 = row.sha256.as_ref().map(hex::encode).unwrap_or_default();
    match row.status {
        SealedReportStatus::Sealing => html! { "sealing: reload this page later" },
        SealedReportStatus::Sealed => {
            html! { code title=(sha256) { (sha256.get(..12).unwrap_or_default()) "…" } }
        }
        SealedReportStatus::Failed => html! { "failed: seal it again" },
    }
}

#[get("/reports/sealed/{sealed_report_id}")]
pub async fn show_difference(
    visitor: Visitor,
    state: Data<AppState>,
    sealed_report_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    visitor.require_scope(Scope::Billing)?;
    let limit = u16::try_from(MAX_ROWS).unwrap_or(u16::MAX);
    let (sealed, differences, as_of) =
        sealed::differences(&state, &visitor.principal, &sealed_report_id, None, limit).await?;
    let seconds = |counts: Option<WindowTotals>| counts.map_or(0, |counts| counts.push_seconds());
    let content = html! {
        h1 { "Changes since sealing" }
        p.path { "Sealed " (words::time(view, sealed.sealed_at)) " by " bdi { (sealed.actor) } ", compared with " (words::time(view, as_of)) }
        @if differences.is_empty() {
            div.card role="status" { p { "None: the report would have the same rows today." } }
        } @else {
            @if differences.len() > MAX_ROWS { p.hint { "The first " (MAX_ROWS) "; the API lists all." } }
            table {
                thead { tr { th { "From" } th { "Group" } th.number { "Sealed" } th.number { "Today" } th.number { "Difference" } } }
                tbody { @for row in differences.iter().take(MAX_ROWS) { tr {
                    td { (words::time(view, row.window_start)) }
                    td.name { @for (number, part) in [&row.name.domain, &row.name.app, &row.name.stream].into_iter().flatten().enumerate() { @if number > 0 { " / " } bdi { (part) } } }
                    td.number data-label="sealed" { (words::lasted(view, seconds(row.sealed))) }
                    td.number data-label="today" { (words::lasted(view, seconds(row.today))) }
                    td.number data-label="seconds" { (seconds(row.today) - seconds(row.sealed)) " s" }
                } } }
            }
        }
        p { a href=(format!("{ROOT}/reports#sealed")) { "Sealed reports" } }
    };
    Ok(layout::page(&visitor, NavItem::Reports, "Changes", &content))
}
