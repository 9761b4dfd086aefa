//! The files of the concurrency report.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::{Stream, stream};

use super::push_duration::selection_of;
use super::table::{Cell, Column, Line, Table, Wording, cells, terms};
use super::term::Term;
use crate::model::report::GroupBy;
use crate::report::ReportError;
use crate::report::concurrency::Point;
use crate::report::concurrency_report::PointRow;
use crate::report::parameters::ReportSelection;

const DOMAIN: Column<PointRow> = Column::new(Term::Domain, |row| Cell::text(row.domain.as_deref()));
const APP: Column<PointRow> = Column::new(Term::App, |row| Cell::text(row.app.as_deref()));
const AT: Column<PointRow> = Column::new(Term::At, |row| Cell::Time(time(&row.point)));
const SESSIONS: Column<PointRow> = Column::new(Term::LiveSessions, |row| Cell::Count(row.point.live_sessions.into()));
const STREAMS: Column<PointRow> = Column::new(Term::LiveStreams, |row| Cell::Count(row.point.live_streams.into()));

/// The columns of CSV, always the same.
pub const CSV: [Column<PointRow>; 7] = [
    DOMAIN,
    APP,
    AT,
    SESSIONS,
    STREAMS,
    Column::new(Term::AtLocal, |row| Cell::LocalTime(time(&row.point))),
    Column::new(Term::TimeZone, |_| Cell::TimeZone),
];

/// The columns of a workbook: only the names that the report groups by.
pub fn xlsx_columns(group_by: GroupBy) -> Vec<Column<PointRow>> {
    let names = [(group_by.domain, DOMAIN), (group_by.app, APP)];
    let names = names.into_iter().filter(|(shown, _)| *shown).map(|(_, column)| column);
    names.chain([AT, SESSIONS, STREAMS]).collect()
}

/// The parameters of a report.
#[derive(Debug)]
pub struct Parameters<'a> {
    pub selection: &'a ReportSelection,
    pub zone: Tz,
    pub step_seconds: i64,
    pub as_of: DateTime<Utc>,
}

/// The table of a report without its points. Its second sheet has the peak.
pub fn table(columns: &[Column<PointRow>], report: &Parameters<'_>, peak: Option<Point>, wording: Wording) -> Table {
    let count = |count: fn(Point) -> u32| peak.map_or(Cell::Empty, |peak| Cell::Count(count(peak).into()));
    let mut about = selection_of(report.selection);
    about.extend([
        (Term::StepSeconds, Cell::Count(report.step_seconds)),
        (Term::PeakAt, Cell::time(peak.as_ref().map(time))),
        (Term::PeakLiveSessions, count(|peak| peak.live_sessions)),
        (Term::PeakLiveStreams, count(|peak| peak.live_streams)),
    ]);
    Table { columns: terms(columns), zone: report.zone, as_of: report.as_of, about, wording }
}

/// The lines of points. There is no total.
pub fn lines(
    points: Vec<PointRow>,
    columns: Vec<Column<PointRow>>,
) -> impl Stream<Item = Result<Line, ReportError>> + Send + 'static {
    stream::iter(points.into_iter().map(move |row| Ok(Line::Row(cells(&columns, &row)))))
}

fn time(point: &Point) -> DateTime<Utc> {
    DateTime::from_timestamp(point.at, 0).unwrap_or_default()
}
