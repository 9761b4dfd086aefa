//! Files of lists of sessions.

use actix_web::HttpResponse;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use sqlx::PgPool;
use uuid::Uuid;

use super::files::{self, FileFormat, Held};
use crate::access::Principal;
use crate::api::problem::ApiError;
use crate::api::views::SessionView;
use crate::app::state::AppState;
use crate::model::access::Scope;
use crate::model::filter::SessionFilter;
use crate::model::session::{EndSource, SessionOrder};
use crate::query::sessions::{SessionList, list_sessions};
use crate::report::ReportError;
use crate::report::file::table::{Cell, Column, Line, Table, Wording, cells, terms, total_of};
use crate::report::file::term::Term;
use crate::store::session_list::SessionPage;

/// The most sessions of a file.
pub const MAX_SESSIONS: i64 = 100_000;

/// The number of sessions that are read at a time.
const BATCH: u16 = 1_000;

pub(crate) const CSV_EXAMPLE: &str = "session_id,stream_id,domain,app,stream,publish_timestamp,status,unconfirmed,started_at,\
    ended_at,ended_at_source,duration_seconds,start_received_at,end_received_at,confirmed_at,provider_ended_at,start_deliveries,\
    end_deliveries,rendition_of,rendition_template,flags,started_at_local,ended_at_local,time_zone,duration_hours\r\n\
    006b02de-614e-8b1b-aa37-49ddc9316417,f595f0a8-bd4e-5b1b-aa37-49ddc9316417,push.example.com,live,room1,1795350113,ended,\
    false,2026-11-22T12:21:53Z,2026-11-22T14:21:53Z,notification,7200,2026-11-22T12:21:54.1Z,2026-11-22T14:21:54.2Z,,,1,1,,,,\
    2026-11-22 20:21:53,2026-11-22 22:21:53,Asia/Shanghai,2.00\r\n";

type Of = Column<SessionView>;

const ID: Of = Column::new(Term::SessionId, |row| Cell::id(row.session_id));
const STREAM_ID: Of = Column::new(Term::StreamId, |row| Cell::id(row.stream_id));
const DOMAIN: Of = Column::new(Term::Domain, |row| Cell::text(Some(&row.domain)));
const APP: Of = Column::new(Term::App, |row| Cell::text(Some(&row.app)));
const STREAM: Of = Column::new(Term::Stream, |row| Cell::text(Some(&row.stream)));
const STATUS: Of = Column::new(Term::Status, |row| Cell::text(Some(row.status.as_str())));
const UNCONFIRMED: Of = Column::new(Term::Unconfirmed, |row| Cell::Text(row.unconfirmed.to_string()));
const STARTED: Of = Column::new(Term::StartedAt, |row| Cell::Time(row.started_at));
const ENDED: Of = Column::new(Term::EndedAt, |row| Cell::time(row.ended_at));
const SOURCE: Of = Column::new(Term::EndedAtSource, |row| Cell::text(row.ended_at_source.map(EndSource::as_str)));
const SECONDS: Of = Column::new(Term::DurationSeconds, |row| Cell::Count(row.duration_seconds));
const HOURS: Of = Column::new(Term::DurationHours, |row| Cell::Hours(row.duration_seconds));
const START_RECEIVED: Of = Column::new(Term::StartReceivedAt, |row| Cell::time(row.start_received_at));
const END_RECEIVED: Of = Column::new(Term::EndReceivedAt, |row| Cell::time(row.end_received_at));
const CONFIRMED: Of = Column::new(Term::ConfirmedAt, |row| Cell::time(row.confirmed_at));
const PROVIDER_ENDED: Of = Column::new(Term::ProviderEndedAt, |row| Cell::time(row.provider_ended_at));
const START_DELIVERIES: Of = Column::new(Term::StartDeliveries, |row| Cell::Count(row.start_deliveries.into()));
const END_DELIVERIES: Of = Column::new(Term::EndDeliveries, |row| Cell::Count(row.end_deliveries.into()));
const RENDITION_OF: Of = Column::new(Term::RenditionOf, |row| {
    Cell::text(row.rendition_of.as_ref().map(|rendition| rendition.stream.as_str()))
});
const TEMPLATE: Of = Column::new(Term::RenditionTemplate, |row| {
    Cell::text(row.rendition_of.as_ref().map(|rendition| rendition.template.as_str()))
});
const FLAGS: Of = Column::new(Term::Flags, |row| {
    let flags = row.flags.iter().map(|flag| flag.as_str()).collect::<Vec<_>>().join(",");
    Cell::text(Some(flags.as_str()).filter(|flags| !flags.is_empty()))
});

/// Only with the scope `personal`.
const PERSONAL: [Of; 3] = [
    Column::new(Term::ClientIp, |row| Cell::text(row.client_ip.as_ref().and_then(Option::as_deref))),
    Column::new(Term::NodeIp, |row| Cell::text(row.node_ip.as_ref().and_then(Option::as_deref))),
    Column::new(Term::UserArgs, |row| Cell::text(row.user_args.as_ref().and_then(Option::as_deref))),
];

/// The columns of CSV: the members of the API's rows, and what people read.
fn csv_columns(personal: bool) -> Vec<Of> {
    let mut columns = vec![ID, STREAM_ID, DOMAIN, APP, STREAM];
    columns.push(Column::new(Term::PublishTimestamp, |row| Cell::Count(row.publish_timestamp)));
    columns.extend([STATUS, UNCONFIRMED, STARTED, ENDED, SOURCE, SECONDS, START_RECEIVED, END_RECEIVED, CONFIRMED]);
    columns.extend([PROVIDER_ENDED, START_DELIVERIES, END_DELIVERIES, RENDITION_OF, TEMPLATE, FLAGS]);
    columns.extend(PERSONAL.into_iter().filter(|_| personal));
    columns.push(Column::new(Term::StartedAtLocal, |row| Cell::LocalTime(row.started_at)));
    columns.push(Column::new(Term::EndedAtLocal, |row| Cell::local_time(row.ended_at)));
    columns.extend([Column::new(Term::TimeZone, |_| Cell::TimeZone), HOURS]);
    columns
}

fn xlsx_columns(personal: bool) -> Vec<Of> {
    let mut columns = vec![DOMAIN, APP, STREAM, STATUS, UNCONFIRMED, STARTED, ENDED, HOURS, SECONDS, SOURCE, FLAGS];
    columns.extend([RENDITION_OF, TEMPLATE, START_RECEIVED, END_RECEIVED, CONFIRMED, PROVIDER_ENDED]);
    columns.extend([START_DELIVERIES, END_DELIVERIES]);
    columns.extend(PERSONAL.into_iter().filter(|_| personal));
    columns.extend([ID, STREAM_ID]);
    columns
}

/// A list of sessions as a file.
#[derive(Debug)]
pub struct SessionFile {
    pub filter: SessionFilter,
    pub order: SessionOrder,
    /// The time zone of local times.
    pub zone: Tz,
    /// The filters, as they were requested.
    pub query: String,
    pub wording: Wording,
}

/// All sessions that match and that the caller may see.
///
/// # Errors
/// There are too many, or they cannot be read.
pub async fn respond(
    state: &AppState,
    principal: Principal,
    file: SessionFile,
    format: FileFormat,
    held: Held,
) -> Result<HttpResponse, ApiError> {
    let SessionFile { filter, order, zone, query, wording } = file;
    let personal = principal.may(Scope::Personal);
    let columns = match format {
        FileFormat::Csv { .. } => csv_columns(personal),
        FileFormat::Xlsx => xlsx_columns(personal),
    };
    let unconfirmed_after = state.unconfirmed_after;
    let none = SessionPage { order, after: None, limit: 0 };
    let SessionList { total, as_of, .. } =
        list_sessions(&state.query_pool, &principal, unconfirmed_after, &filter, none, true).await?;
    if total > Some(MAX_SESSIONS) {
        let reason = format!("a file has at most {MAX_SESSIONS} sessions: add filters, such as from and to");
        return Err(ApiError::invalid("format", reason));
    }
    let about = vec![(Term::Filters, Cell::Text(query))];
    let table = Table { columns: terms(&columns), zone, as_of, about, wording };
    let list = List { pool: state.report_pool.clone(), principal, filter, order, unconfirmed_after, as_of };
    let name = format!("sessions-{}", as_of.with_timezone(&zone).format("%Y-%m-%dT%H%M%S"));
    files::respond(format, &name, table, lines(list.batches(), columns), held).await
}

/// How sessions are listed, batch by batch.
#[derive(Clone)]
struct List {
    pool: PgPool,
    principal: Principal,
    filter: SessionFilter,
    order: SessionOrder,
    unconfirmed_after: TimeDelta,
    as_of: DateTime<Utc>,
}

impl List {
    fn batches(self) -> impl Stream<Item = Result<Vec<SessionView>, ReportError>> + Send + 'static {
        // The session to continue after; `None` at the end.
        stream::try_unfold(Some(None), move |after| {
            let list = self.clone();
            async move {
                let Some(after) = after else { return Ok(None) };
                list.batch(after).await.map(Some)
            }
        })
    }

    async fn batch(&self, after: Option<Uuid>) -> Result<(Vec<SessionView>, Option<Option<Uuid>>), ReportError> {
        let page = SessionPage { order: self.order, after, limit: BATCH };
        let list = list_sessions(&self.pool, &self.principal, self.unconfirmed_after, &self.filter, page, false);
        let rows = list.await?.page;
        let next = rows.rows.last().filter(|_| rows.more).map(|row| Some(row.session_id));
        let personal = self.principal.may(Scope::Personal);
        let view = |row| SessionView::new(row, personal, self.as_of, self.unconfirmed_after);
        Ok((rows.rows.into_iter().map(view).collect(), next))
    }
}

/// The lines of sessions, and of the sum of their seconds.
fn lines(
    batches: impl Stream<Item = Result<Vec<SessionView>, ReportError>> + Send + 'static,
    columns: Vec<Of>,
) -> impl Stream<Item = Result<Line, ReportError>> + Send + 'static {
    let rows = batches.map_ok(|rows| stream::iter(rows).map(Ok)).try_flatten();
    // The total comes after the last row.
    let rows = rows.map_ok(Some).chain(stream::iter([Ok(None)]));
    let mut seconds = 0;
    rows.map_ok(move |row| match row {
        Some(row) => {
            seconds += row.duration_seconds;
            Line::Row(cells(&columns, &row))
        }
        None => Line::Total(total_of(
            &columns,
            &[(Term::DurationSeconds, Cell::Count(seconds)), (Term::DurationHours, Cell::Hours(seconds))],
        )),
    })
}
