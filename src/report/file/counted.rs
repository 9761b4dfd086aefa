//! The files of the sessions that a report counts.

use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::table::{Cell, Column, Line, cells, total_of};
use super::term::Term;
use crate::huawei::rendition;
use crate::model::report::Certainty;
use crate::model::session::EndSource;
use crate::report::ReportError;
use crate::report::counted::{Counted, explain};

const ID: Column<Counted> = Column::new(Term::SessionId, |row| Cell::id(row.push.session_id));
const STREAM_ID: Column<Counted> = Column::new(Term::StreamId, |row| Cell::id(row.push.stream_id));
const DOMAIN: Column<Counted> = Column::new(Term::Domain, |row| Cell::text(Some(&row.push.domain)));
const APP: Column<Counted> = Column::new(Term::App, |row| Cell::text(Some(&row.push.app)));
const STREAM: Column<Counted> = Column::new(Term::Stream, |row| Cell::text(Some(&row.push.stream)));
const STARTED: Column<Counted> = Column::new(Term::StartedAt, |row| Cell::Time(row.push.started_at));
const ENDED: Column<Counted> = Column::new(Term::EndedAt, |row| Cell::time(row.push.ended_at));
const SOURCE: Column<Counted> =
    Column::new(Term::EndedAtSource, |row| Cell::text(row.push.ended_at_source.map(EndSource::as_str)));
const COUNTED_AS: Column<Counted> =
    Column::new(Term::CountedAs, |row| Cell::text(Some(Certainty::of(row.push.ended_at_source).as_str())));
const SECONDS: Column<Counted> = Column::new(Term::CountedSeconds, |row| Cell::Count(row.seconds));
const HOURS: Column<Counted> = Column::new(Term::CountedHours, |row| Cell::Hours(row.seconds));
const RENDITION_OF: Column<Counted> = Column::new(Term::RenditionOf, |row| {
    let template = row.push.rendition_template.as_deref();
    Cell::text(template.and_then(|template| rendition::source_of(&row.push.stream, template)))
});
const TEMPLATE: Column<Counted> =
    Column::new(Term::RenditionTemplate, |row| Cell::text(row.push.rendition_template.as_deref()));

/// The columns of CSV: the members of the API's rows, and what people read.
pub const CSV: [Column<Counted>; 17] = [
    ID,
    STREAM_ID,
    DOMAIN,
    APP,
    STREAM,
    STARTED,
    ENDED,
    SOURCE,
    COUNTED_AS,
    SECONDS,
    Column::new(Term::Explanation, |row| Cell::text(Some(explain(row.push.ended_at_source)))),
    RENDITION_OF,
    TEMPLATE,
    Column::new(Term::StartedAtLocal, |row| Cell::LocalTime(row.push.started_at)),
    Column::new(Term::EndedAtLocal, |row| Cell::local_time(row.push.ended_at)),
    Column::new(Term::TimeZone, |_| Cell::TimeZone),
    HOURS,
];

/// The columns of a workbook.
pub const XLSX: [Column<Counted>; 12] =
    [DOMAIN, APP, STREAM, STARTED, ENDED, HOURS, SECONDS, COUNTED_AS, SOURCE, RENDITION_OF, TEMPLATE, ID];

/// The lines of sessions, and of the sum of their seconds.
pub fn lines(
    batches: impl Stream<Item = Result<Vec<Counted>, ReportError>> + Send + 'static,
    columns: &'static [Column<Counted>],
) -> impl Stream<Item = Result<Line, ReportError>> + Send + 'static {
    let rows = batches.map_ok(|rows| stream::iter(rows).map(Ok)).try_flatten();
    // A total is the last line, after the end of the rows.
    let rows = rows.map_ok(Some).chain(stream::iter([Ok(None)]));
    let mut seconds = 0;
    rows.map_ok(move |row| match row {
        Some(row) => {
            seconds += row.seconds;
            Line::Row(cells(columns, &row))
        }
        None => Line::Total(total_of(
            columns,
            &[(Term::CountedSeconds, Cell::Count(seconds)), (Term::CountedHours, Cell::Hours(seconds))],
        )),
    })
}
