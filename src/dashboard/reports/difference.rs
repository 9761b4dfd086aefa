//! What changed since a report was sealed.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use futures_util::stream;
use maud::{Markup, html};

use super::super::error::PageError;
use super::super::layout::{self, NavItem};
use super::super::texts::Language;
use super::super::view::View;
use super::super::visitor::BillingVisitor;
use super::super::words;
use super::page::MAX_ROWS;
use super::sealed_list::Sealed;
use super::{ReportAt, naming};
use crate::access::Principal;
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::files::{self, FileFormat, Held};
use crate::http::reports::timing::{Kind, Timing};
use crate::http::reports::{self, sealed};
use crate::model::report::WindowSize;
use crate::report::file;
use crate::report::file::table::{Cell, Column, Line, Table, cells, terms, total_of};
use crate::report::file::term::Term;
use crate::report::period::file_name;
use crate::report::sealed::Difference;
use crate::report::sweep::WindowTotals;

/// Maximum rows of the file, which is made in memory.
const MAX_FILE_ROWS: u16 = u16::MAX - 1;

/// A sealed report, and how it differs today.
struct Compared {
    sealed: Sealed,
    /// The same report today.
    today: ReportAt,
    /// At most one more than asked for.
    rows: Vec<Difference>,
}

async fn compare(state: &AppState, principal: &Principal, id: &str, limit: u16) -> Result<Compared, ApiError> {
    let (row, rows, as_of) = sealed::differences(state, principal, id, None, limit).await?;
    let sealed = Sealed::of(row)?;
    let today = ReportAt { as_of, ..sealed.report.clone() };
    Ok(Compared { sealed, today, rows })
}

#[get("/reports/sealed/{sealed_report_id}")]
pub async fn show_difference(
    visitor: BillingVisitor,
    state: Data<AppState>,
    sealed_report_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let mut visitor = visitor.0;
    let limit = u16::try_from(MAX_ROWS).unwrap_or(u16::MAX);
    let compared = compare(&state, &visitor.principal, &sealed_report_id, limit).await?;
    let Compared { sealed, today, rows } = &compared;
    let cutoff = reports::close(&state, Some(today.as_of)).await?;
    let total = today.total(&state, &cutoff).await?.push_seconds();
    visitor.view = today.view(visitor.view);
    let view = visitor.view;
    let text = view.language;
    let title = text.reports_change_title(&naming::period(text, today.period()));
    let path =
        [words::time(view, sealed.row.sealed_at), html! { bdi { (sealed.row.actor) } }, words::time(view, today.as_of)];
    let content = html! {
        h1 { (title) }
        p.path {
            (view.zone.name()) " · " (naming::layout(text, &today.selection, today.layout)) " · "
            (words::fill(&text.reports_change_path(), &path))
        }
        (figures(text, sealed.total("push_seconds").unwrap_or_default(), total))
        @if rows.is_empty() {
            div.card role="status" { p { (text.reports_no_change()) } }
        } @else {
            div.actions { a.button href=(format!("{}/changes", sealed.difference())) { (text.file_excel()) } }
            @if rows.len() > MAX_ROWS { p.hint { (text.reports_first_rows(&words::count(MAX_ROWS as u64))) } }
            (table(view, today, rows))
        }
        p { a href=(format!("{}#sealed", today.page(&[]))) { (text.reports_back()) } }
    };
    Ok(layout::page(&visitor, NavItem::Reports, &title, &content))
}

fn figures(text: Language, sealed: i64, today: i64) -> Markup {
    let figure = |number: &Markup, name: &str| html! { div.figure { strong { (number) } span { (name) } } };
    let change = html! { (signed_hours(today - sealed)) };
    html! {
        div.figures.hours {
            (figure(&words::hours(sealed), &text.reports_then()))
            (figure(&words::hours(today), &text.reports_today()))
            (figure(&change, &text.reports_difference()))
            (figure(&html! { (percent(text, sealed, today)) }, &text.reports_percent()))
        }
    }
}

fn table(view: View, today: &ReportAt, rows: &[Difference]) -> Markup {
    let text = view.language;
    let has_windows = today.layout.window != WindowSize::Whole;
    html! {
        div.scroll { table {
            thead { tr {
                @if has_windows { th { (text.time()) } }
                th { (text.reports_name()) }
                th.number { (text.reports_then()) } th.number { (text.reports_today()) }
                th.number { (text.reports_difference()) } th.number { (text.reports_percent()) }
                th.number { (text.reports_uncertain()) }
            } }
            tbody { @for row in rows.iter().take(MAX_ROWS) { (changed_row(view, today, row, has_windows)) } }
        } }
    }
}

fn changed_row(view: View, today: &ReportAt, row: &Difference, has_windows: bool) -> Markup {
    let text = view.language;
    let window = (row.window_start, row.window_end);
    let [then, now] = [push_seconds(row.sealed), push_seconds(row.today)];
    let [uncertain_then, uncertain_now] = [uncertain_seconds(row.sealed), uncertain_seconds(row.today)];
    let sessions = today.row(&row.name, window).sessions(None);
    html! {
        tr {
            @if has_windows { td.when { (naming::window(view, today.layout.window, window)) } }
            td.name { (naming::group(text, &row.name)) }
            td.number data-label=(text.reports_then()) { (words::hours(then)) }
            td.number data-label=(text.reports_today()) {
                a href=(sessions) title=(text.reports_show_sessions()) { (words::hours(now)) }
            }
            td.number data-label=(text.reports_difference()) { (signed_hours(now - then)) }
            td.number data-label=(text.reports_percent()) { (percent(text, then, now)) }
            td.number data-label=(text.reports_uncertain()) {
                (words::decimal_hours(uncertain_then)) " → " (words::decimal_hours(uncertain_now))
            }
        }
    }
}

fn push_seconds(counts: Option<WindowTotals>) -> i64 {
    counts.map_or(0, |counts| counts.push_seconds())
}

fn uncertain_seconds(counts: Option<WindowTotals>) -> i64 {
    counts.map_or(0, |counts| counts.estimated_seconds + counts.open_seconds)
}

/// Hours with their sign. The tooltip has the seconds.
fn signed_hours(seconds: i64) -> Markup {
    let sign = if seconds > 0 { "+" } else { "" };
    html! { span title=(format!("{seconds} s")) { (sign) (words::decimal_hours(seconds)) } }
}

/// By how much the seconds changed, in percent with one decimal.
fn percent(text: Language, then: i64, now: i64) -> String {
    if then == 0 {
        return if now == 0 { text.none() } else { text.reports_new_row() };
    }
    let tenths = i128::from(now - then) * 1_000 / i128::from(then);
    let sign = match tenths {
        ..0 => "−",
        0 => "",
        1.. => "+",
    };
    format!("{sign}{}.{} %", tenths.abs() / 10, tenths.abs() % 10)
}

const DOMAIN: Column<Difference> = Column::new(Term::Domain, |row| Cell::text(row.name.domain.as_deref()));
const APP: Column<Difference> = Column::new(Term::App, |row| Cell::text(row.name.app.as_deref()));
const STREAM: Column<Difference> = Column::new(Term::Stream, |row| Cell::text(row.name.stream.as_deref()));
const COUNTS: [Column<Difference>; 6] = [
    Column::new(Term::WindowStart, |row| Cell::Time(row.window_start)),
    Column::new(Term::WindowEnd, |row| Cell::Time(row.window_end)),
    Column::new(Term::SealedPushHours, |row| Cell::Hours(push_seconds(row.sealed))),
    Column::new(Term::PushHoursToday, |row| Cell::Hours(push_seconds(row.today))),
    Column::new(Term::DifferenceHours, |row| Cell::Hours(change(row))),
    Column::new(Term::DifferenceSeconds, |row| Cell::Count(change(row))),
];

fn change(row: &Difference) -> i64 {
    push_seconds(row.today) - push_seconds(row.sealed)
}

#[get("/reports/sealed/{sealed_report_id}/changes")]
pub async fn download_difference(
    visitor: BillingVisitor,
    state: Data<AppState>,
    sealed_report_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let held = Held::take(&state, &visitor.principal, FileFormat::Xlsx, Timing::begin(Kind::Difference))?;
    let Compared { today, rows, .. } = compare(&state, &visitor.principal, &sealed_report_id, MAX_FILE_ROWS).await?;
    if rows.len() > usize::from(MAX_FILE_ROWS) {
        return Err(ApiError::Conflict("more rows changed than a file holds; the API lists all".to_owned()).into());
    }
    let text = visitor.view.language;
    let mut columns = file::push_duration::name_columns(today.layout.group_by, [DOMAIN, APP, STREAM]);
    columns.extend(COUNTS);
    let sum = |seconds: fn(&Difference) -> i64| rows.iter().map(seconds).sum();
    let changes = sum(change);
    let total = total_of(
        &columns,
        &[
            (Term::SealedPushHours, Cell::Hours(sum(|row| push_seconds(row.sealed)))),
            (Term::PushHoursToday, Cell::Hours(sum(|row| push_seconds(row.today)))),
            (Term::DifferenceHours, Cell::Hours(changes)),
            (Term::DifferenceSeconds, Cell::Count(changes)),
        ],
    );
    let about = file::push_duration::selection_of(&today.selection);
    let wording = text.wording(text.reports_what_changed());
    let table = Table { columns: terms(&columns), zone: today.layout.time_zone, as_of: today.as_of, about, wording };
    let lines: Vec<_> = rows.iter().map(|row| Line::Row(cells(&columns, row))).chain([Line::Total(total)]).collect();
    let name = format!("{}-changes", file_name(&today.selection, today.layout));
    let lines = stream::iter(lines.into_iter().map(Ok));
    Ok(files::respond(FileFormat::Xlsx, &name, table, lines, held).await?)
}
