//! The files of the report of push duration.

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::table::{Cell, Column, Line, Table, Wording, cells, terms};
use super::term::Term;
use crate::model::report::GroupBy;
use crate::report::ReportError;
use crate::report::parameters::{GroupName, Layout, ReportSelection};
use crate::report::push_duration::{NamedRow, PushDuration};
use crate::report::sweep::WindowTotals;

const DOMAIN: Column<NamedRow> = Column::new(Term::Domain, |row| Cell::text(row.name.domain.as_deref()));
const APP: Column<NamedRow> = Column::new(Term::App, |row| Cell::text(row.name.app.as_deref()));
const STREAM: Column<NamedRow> = Column::new(Term::Stream, |row| Cell::text(row.name.stream.as_deref()));
const START: Column<NamedRow> = Column::new(Term::WindowStart, |row| Cell::Time(row.window_start));
const END: Column<NamedRow> = Column::new(Term::WindowEnd, |row| Cell::Time(row.window_end));
const SESSIONS: Column<NamedRow> = Column::new(Term::Sessions, |row| Cell::Count(row.counts.sessions));
const STARTED: Column<NamedRow> = Column::new(Term::SessionsStarted, |row| Cell::Count(row.counts.sessions_started));
const PUSH: Column<NamedRow> = Column::new(Term::PushSeconds, |row| Cell::Count(row.counts.push_seconds()));
const PUSH_HOURS: Column<NamedRow> = Column::new(Term::PushHours, |row| Cell::Hours(row.counts.push_seconds()));
const CONFIRMED_HOURS: Column<NamedRow> =
    Column::new(Term::ConfirmedHours, |row| Cell::Hours(row.counts.confirmed_seconds));
const CONFIRMED: Column<NamedRow> =
    Column::new(Term::ConfirmedSeconds, |row| Cell::Count(row.counts.confirmed_seconds));
const ESTIMATED_HOURS: Column<NamedRow> =
    Column::new(Term::EstimatedHours, |row| Cell::Hours(row.counts.estimated_seconds));
const ESTIMATED: Column<NamedRow> =
    Column::new(Term::EstimatedSeconds, |row| Cell::Count(row.counts.estimated_seconds));
const OPEN_HOURS: Column<NamedRow> = Column::new(Term::OpenHours, |row| Cell::Hours(row.counts.open_seconds));
const OPEN: Column<NamedRow> = Column::new(Term::OpenSeconds, |row| Cell::Count(row.counts.open_seconds));
const ON_AIR_HOURS: Column<NamedRow> = Column::new(Term::OnAirHours, |row| Cell::Hours(row.counts.on_air_seconds));
const ON_AIR: Column<NamedRow> = Column::new(Term::OnAirSeconds, |row| Cell::Count(row.counts.on_air_seconds));
const PEAK: Column<NamedRow> = Column::new(Term::PeakLiveSessions, |row| Cell::Count(row.counts.peak_live_sessions));

/// The columns of CSV, always the same. The first are those of [`COLUMNS`](crate::report::csv::COLUMNS).
pub const CSV: [Column<NamedRow>; 16] = [
    DOMAIN,
    APP,
    STREAM,
    START,
    END,
    SESSIONS,
    STARTED,
    PUSH,
    CONFIRMED,
    ESTIMATED,
    OPEN,
    ON_AIR,
    PEAK,
    Column::new(Term::WindowStartLocal, |row| Cell::LocalTime(row.window_start)),
    Column::new(Term::TimeZone, |_| Cell::TimeZone),
    PUSH_HOURS,
];

/// The columns of a workbook: only the names that the report groups by, and hours next to seconds.
pub fn xlsx_columns(group_by: GroupBy) -> Vec<Column<NamedRow>> {
    let mut columns = name_columns(group_by, [DOMAIN, APP, STREAM]);
    columns.extend([START, END, SESSIONS, STARTED, PUSH_HOURS, PUSH]);
    columns.extend([
        CONFIRMED_HOURS,
        CONFIRMED,
        ESTIMATED_HOURS,
        ESTIMATED,
        OPEN_HOURS,
        OPEN,
        ON_AIR_HOURS,
        ON_AIR,
        PEAK,
    ]);
    columns
}

/// Those of the columns of domain, app and stream that rows are grouped by.
pub fn name_columns<R>(group_by: GroupBy, [domain, app, stream]: [Column<R>; 3]) -> Vec<Column<R>> {
    let columns = [(group_by.domain, domain), (group_by.app, app), (group_by.stream, stream)];
    columns.into_iter().filter(|(shown, _)| *shown).map(|(_, column)| column).collect()
}

/// The table of a report without its rows.
pub fn table(
    columns: &[Column<NamedRow>],
    (selection, layout): (&ReportSelection, Layout),
    as_of: DateTime<Utc>,
    wording: Wording,
) -> Table {
    let about = [
        selection_of(selection),
        vec![
            (Term::Window, Cell::Text(layout.window.as_str().to_owned())),
            (Term::GroupBy, Cell::Text(layout.group_by.as_str().to_owned())),
        ],
    ];
    Table { columns: terms(columns), zone: layout.time_zone, as_of, about: about.concat(), wording }
}

/// The parameters that all reports share.
pub fn selection_of(selection: &ReportSelection) -> Vec<(Term, Cell)> {
    vec![
        (Term::From, Cell::Time(selection.from)),
        (Term::To, Cell::Time(selection.to)),
        (Term::Domain, Cell::text(selection.domain.as_deref())),
        (Term::App, Cell::text(selection.app.as_deref())),
        (Term::Stream, Cell::text(selection.stream.as_deref())),
        (Term::Renditions, Cell::Text(selection.renditions.as_str().to_owned())),
    ]
}

/// The lines of a report that is being computed.
pub fn lines(
    report: PushDuration,
    columns: Vec<Column<NamedRow>>,
    period: (DateTime<Utc>, DateTime<Utc>),
) -> impl Stream<Item = Result<Line, ReportError>> + Send + 'static {
    stream::try_unfold(Some((report, columns)), move |report| async move {
        let Some((mut report, columns)) = report else { return Ok(None) };
        Ok(match report.next_row().await? {
            Some(row) => Some((Line::Row(cells(&columns, &row)), Some((report, columns)))),
            None => Some((Line::Total(total(&columns, report.finish().await?, period)), None)),
        })
    })
}

/// The lines of rows that are known, and of their total.
pub fn lines_of(
    rows: impl Stream<Item = Result<NamedRow, ReportError>> + Send + 'static,
    totals: WindowTotals,
    columns: Vec<Column<NamedRow>>,
    period: (DateTime<Utc>, DateTime<Utc>),
) -> impl Stream<Item = Result<Line, ReportError>> + Send + 'static {
    let total = Line::Total(total(&columns, totals, period));
    rows.map_ok(move |row| Line::Row(cells(&columns, &row))).chain(stream::iter([Ok(total)]))
}

fn total(
    columns: &[Column<NamedRow>],
    counts: WindowTotals,
    (window_start, window_end): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<Cell> {
    let name = GroupName { domain: None, app: None, stream: None };
    cells(columns, &NamedRow { name, window_start, window_end, counts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::csv::COLUMNS;

    #[test]
    fn csv_begins_with_the_members_of_the_rows() {
        let names = CSV.map(|column| column.term.as_str());
        assert_eq!(names[..COLUMNS.len()], COLUMNS);
        assert_eq!(names[COLUMNS.len()..], ["window_start_local", "time_zone", "push_hours"]);
    }
}
