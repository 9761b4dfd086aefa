//! Files for spreadsheets: the columns and dates that people read, in their language and time zone.
//!
//! The byte order mark tells Excel that the file is UTF-8. Names are guarded, as in the API's CSV.

use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{Stream, TryStreamExt, stream};

use super::super::error::PageError;
use super::super::texts::Language;
use super::super::view::View;
use super::super::visitor::BillingVisitor;
use super::super::words::plain_hours;
use super::{ReportAt, restrict};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::reports;
use crate::http::reports::push_duration::{PushDurationQuery, csv_answer};
use crate::http::reports::timing::{Kind, Timing};
use crate::model::report::GroupBy;
use crate::report::parameters::GroupName;
use crate::report::period::{Period, PeriodShape, file_name};
use crate::report::push_duration::{NamedRow, PushDuration};
use crate::report::sweep::WindowTotals;
use crate::report::{ReportError, csv, low_priority_runtime};

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Approximate size of a chunk in bytes.
const CHUNK: usize = 32 * 1024;

#[get("/reports/file")]
pub async fn download_spreadsheet(
    visitor: BillingVisitor,
    state: Data<AppState>,
    query: Result<Query<PushDurationQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(query) = query?;
    let timing = Timing::begin(Kind::PushDuration);
    let query = restrict(query, &visitor.principal);
    let cutoff = reports::close(&state, query.asked.as_of).await?;
    let report = ReportAt::new(query, cutoff.at);
    let counting = PushDuration::begin(state.report_pool.clone(), &report.selection, report.layout, &cutoff, None);
    let name = format!("{}-excel", file_name(&report.selection, report.layout));
    let sheet = Sheet { view: report.view(visitor.view), report };
    let lines = low_priority_runtime::stream(lines(sheet, counting, timing));
    Ok(csv_answer(&name).streaming(lines.map_err(ApiError::from)))
}

/// Streams the lines of a report while they are computed.
fn lines(sheet: Sheet, counting: PushDuration, timing: Timing) -> impl Stream<Item = Result<Bytes, ReportError>> {
    let header = sheet.header();
    stream::try_unfold((header, Some((sheet, counting, timing))), |(mut text, rest)| async move {
        let Some((sheet, mut counting, timing)) = rest else { return Ok(None) };
        while let Some(row) = counting.next_row().await? {
            text.extend(sheet.row(&row));
            if text.len() >= CHUNK {
                return Ok(Some((text.into(), (Vec::new(), Some((sheet, counting, timing))))));
            }
        }
        text.extend(sheet.footer(&counting.finish().await?));
        Ok(Some((Bytes::from(text), (Vec::new(), None))))
    })
}

/// How the lines of a report are written.
struct Sheet {
    report: ReportAt,
    view: View,
}

impl Sheet {
    fn header(&self) -> Vec<u8> {
        let text = self.view.language;
        let counts = [
            text.reports_sessions(),
            text.reports_push_hours(),
            text.reports_file_confirmed(),
            text.reports_file_estimated(),
            text.reports_file_open(),
            text.reports_on_air_hours(),
            text.reports_peak_sessions(),
        ];
        let mut line = BYTE_ORDER_MARK.as_bytes().to_vec();
        line.extend(csv::record(
            [name_columns(text, self.report.layout.group_by), time_columns(text).to_vec(), counts.to_vec()].concat(),
        ));
        line
    }

    fn row(&self, row: &NamedRow) -> Vec<u8> {
        let times = time_cells(self.view, (row.window_start, row.window_end));
        csv::record([name_cells(&row.name), times.to_vec(), count_cells(&row.counts).to_vec()].concat())
    }

    /// The totals, and the moment of the report.
    fn footer(&self, totals: &WindowTotals) -> Vec<u8> {
        let text = self.view.language;
        let names = name_columns(text, self.report.layout.group_by).len();
        let window = (self.report.selection.from, self.report.selection.to);
        let times = time_cells(self.view, window).to_vec();
        let mut lines =
            csv::record([first_of(names, text.reports_total()), times, count_cells(totals).to_vec()].concat());
        let as_of = self.view.local(self.report.as_of).format("%Y-%m-%d %H:%M:%S").to_string();
        let moment = vec![as_of, String::new(), self.view.zone.name().to_owned()];
        let none = vec![String::new(); count_cells(totals).len()];
        lines.extend(csv::record([first_of(names, text.reports_file_as_of()), moment, none].concat()));
        lines
    }
}

/// A cell, and empty ones, so many in all.
fn first_of(cells: usize, first: String) -> Vec<String> {
    let mut all = vec![String::new(); cells];
    if let Some(cell) = all.first_mut() {
        *cell = first;
    }
    all
}

pub fn name_columns(text: Language, by: GroupBy) -> Vec<String> {
    let columns = [(by.domain, text.domain()), (by.app, text.app()), (by.stream, text.stream())];
    columns.into_iter().filter(|(shown, _)| *shown).map(|(_, name)| name).collect()
}

pub fn name_cells(name: &GroupName) -> Vec<String> {
    let names = [&name.domain, &name.app, &name.stream];
    names.into_iter().flatten().map(|name| csv::guarded(name)).collect()
}

pub fn time_columns(text: Language) -> [String; 3] {
    [text.reports_file_from(), text.reports_file_through(), text.time_zone()]
}

/// The first and the last date or minute of a window, and the time zone.
pub fn time_cells(view: View, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> [String; 3] {
    let zone = view.zone;
    let format = match (Period { from, to, zone }).shape() {
        PeriodShape::Month(_) | PeriodShape::Days(..) => "%Y-%m-%d",
        PeriodShape::Times => "%Y-%m-%d %H:%M",
    };
    let [first, last] = [from, to - TimeDelta::seconds(1)].map(|time| view.local(time).format(format).to_string());
    [first, last, zone.name().to_owned()]
}

fn count_cells(counts: &WindowTotals) -> [String; 7] {
    [
        counts.sessions.to_string(),
        plain_hours(counts.push_seconds()),
        plain_hours(counts.confirmed_seconds),
        plain_hours(counts.estimated_seconds),
        plain_hours(counts.open_seconds),
        plain_hours(counts.on_air_seconds),
        counts.peak_live_sessions.to_string(),
    ]
}

/// A whole file.
pub fn whole(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut file = BYTE_ORDER_MARK.as_bytes().to_vec();
    file.extend(csv::record(header));
    rows.for_each(|row| file.extend(csv::record(row)));
    file
}
