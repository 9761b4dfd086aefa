//! `/v1/reports/push-duration/sessions`: the sessions of a report.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::parameters::ParametersView;
use super::push_duration::{PushDurationParameters, PushDurationQuery};
use super::timing::{Kind, Timing};
use crate::api::error_responses::CommonErrors;
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::api::views::RenditionView;
use crate::app::state::AppState;
use crate::http::extract::{Access, Query, RequireBilling};
use crate::http::files::{self, FileFormat, FormatRequest, Held, Workbook};
use crate::model::filter::{CsvOptions, FormatOptions};
use crate::model::parameter::Parameters;
use crate::model::report::Certainty;
use crate::model::session::EndSource;
use crate::query::Rows;
use crate::report::counted::{self, Counted};
use crate::report::cutoff::ReportCutoff;
use crate::report::file;
use crate::report::file::table::{Cell, Table, Wording, terms};
use crate::report::file::term::Term;
use crate::report::parameters::ReportSelection;
use crate::report::period::period_name;

/// A session that a report counts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountedSession)]
pub struct CountedView {
    /// The session.
    session_id: Uuid,
    /// The pushed stream.
    stream_id: Uuid,
    /// Ingest domain.
    domain: String,
    /// App.
    app: String,
    /// Stream name.
    stream: String,
    /// Start of the session.
    #[schema(value_type = String, format = DateTime)]
    started_at: DateTime<Utc>,
    /// End of the session as of `as_of`; null if it was live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    ended_at: Option<DateTime<Utc>>,
    /// Source of the end; null if it was live.
    #[schema(required)]
    ended_at_source: Option<EndSource>,
    /// Certainty of the seconds.
    counted_as: Certainty,
    /// Seconds of the session within the period.
    #[schema(minimum = 0)]
    counted_seconds: i64,
    /// Explanation of the end.
    explanation: &'static str,
    /// The source stream, if this is a transcoded rendition; null for a source.
    #[schema(required)]
    rendition_of: Option<RenditionView>,
}

impl From<Counted> for CountedView {
    fn from(counted: Counted) -> Self {
        let Counted { push, seconds } = counted;
        Self {
            rendition_of: RenditionView::new(&push.domain, &push.app, &push.stream, push.rendition_template),
            session_id: push.session_id,
            stream_id: push.stream_id,
            domain: push.domain,
            app: push.app,
            stream: push.stream,
            started_at: push.started_at,
            ended_at: push.ended_at,
            ended_at_source: push.ended_at_source,
            counted_as: Certainty::of(push.ended_at_source),
            counted_seconds: seconds,
            explanation: counted::explain(push.ended_at_source),
        }
    }
}

/// A page of counted sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountedSessionPage)]
pub struct CountedPageView {
    /// The sessions, ordered by start.
    data: Vec<CountedView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    /// The parameters, including defaults.
    parameters: ParametersView,
    /// The instant up to which the log counts.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountedPlace {
    as_of: DateTime<Utc>,
    /// The period, which `last_month` would name differently after the end of a month.
    period: (DateTime<Utc>, DateTime<Utc>),
    after: Uuid,
}

/// Which of the sessions.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `CountedQuery` reads")]
pub struct CountedParameters {
    /// Only sessions whose seconds count as this.
    counted_as: Option<Certainty>,
}

#[derive(Debug)]
pub struct CountedQuery {
    format: FormatRequest,
    page: PageRequest<CountedPlace>,
    counted_as: Option<Certainty>,
    report: PushDurationQuery,
}

impl FromQuery for CountedQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let format = FormatRequest::read(query);
        let page = PageRequest::from_query(query);
        Self { format, page, counted_as: query.get("counted_as"), report: PushDurationQuery::from_query(query) }
    }
}

/// List the sessions of a report
///
/// The sessions that a push duration report with the same parameters counts, with their seconds and an explanation of their
/// ends. For the sessions of one row, pass its names as `domain`, `app` and `stream`, its window as `from` and `to`, and its
/// `as_of`: the seconds add up to the `push_seconds` of the row. `window` and `group_by` have no effect.
///
/// JSON comes in pages. CSV and workbooks have all sessions, and times of `time_zone`; more rows than a sheet holds,
/// 1,048,574, are answered 400.
#[utoipa::path(
    tag = "billing",
    params(PushDurationParameters, CountedParameters, FormatOptions, CsvOptions, PageParameters),
    responses(
        (
            status = 200,
            description = "A page of sessions, or a file of all",
            content(
                (CountedPageView = "application/json"),
                (String = "text/csv", example = json!(CSV_EXAMPLE)),
                (Workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ),
        ),
        CommonErrors,
    ),
)]
#[get("/v1/reports/push-duration/sessions")]
pub async fn list_counted_sessions(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    request: HttpRequest,
    Query(CountedQuery { format, page, counted_as, report }): Query<CountedQuery>,
) -> Result<HttpResponse, ApiError> {
    let timing = Timing::begin(Kind::CountedSessions);
    let PushDurationQuery { mut asked, layout } = report;
    asked.selection.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    if let Some(place) = &page.after {
        (asked.selection.from, asked.selection.to) = place.period;
    }
    let file = format.resolve(&request)?;
    let cutoff = super::close(&state, page.after.as_ref().map(|place| place.as_of).or(asked.as_of)).await?;
    if let Some(format) = file {
        let held = Held::take(&state, &principal, format, timing)?;
        let counted = CountedSelection { selection: &asked.selection, zone: asked.time_zone, counted_as };
        return file_of(&state, &counted, &cutoff, format, Wording::english("Sessions"), held).await;
    }
    let as_of = cutoff.at;
    let after = page.after.as_ref().map(|place| place.after);
    let limit = i64::from(page.limit) + 1;
    let rows = counted::list(&state.report_pool, &asked.selection, &cutoff, counted_as, after, limit).await?;
    let period = (asked.selection.from, asked.selection.to);
    let place = |row: &Counted| CountedPlace { as_of, period, after: row.push.session_id };
    let (data, next_cursor) = page.page(Rows::of(rows, page.limit), place, CountedView::from);
    let parameters = ParametersView::of_push_duration(&asked.selection, layout, as_of);
    Ok(HttpResponse::Ok().json(CountedPageView { data, next_cursor, parameters, as_of }))
}

/// Which sessions a file has, and the time zone of its local times.
#[derive(Debug)]
pub struct CountedSelection<'a> {
    pub selection: &'a ReportSelection,
    pub zone: Tz,
    pub counted_as: Option<Certainty>,
}

/// The sessions of a report as a file.
///
/// # Errors
/// They cannot be read.
pub async fn file_of(
    state: &AppState,
    counted: &CountedSelection<'_>,
    cutoff: &ReportCutoff,
    format: FileFormat,
    wording: Wording,
    held: Held,
) -> Result<HttpResponse, ApiError> {
    let CountedSelection { selection, zone, counted_as } = *counted;
    let columns: &[_] = match format {
        FileFormat::Csv { .. } => &file::counted::CSV,
        FileFormat::Xlsx => &file::counted::XLSX,
    };
    let mut about = file::push_duration::selection_of(selection);
    about.push((Term::CountedAs, Cell::text(counted_as.map(Certainty::as_str))));
    let table = Table { columns: terms(columns), zone, as_of: cutoff.at, about, wording };
    let batches = counted::list_all(state.report_pool.clone(), selection, cutoff, counted_as);
    let name = format!("push-sessions-{}", period_name(selection, zone));
    files::respond(format, &name, table, file::counted::lines(batches, columns), held).await
}

const CSV_EXAMPLE: &str = "session_id,stream_id,domain,app,stream,started_at,ended_at,ended_at_source,counted_as,\
    counted_seconds,explanation,rendition_of,rendition_template,started_at_local,ended_at_local,time_zone,counted_hours\r\n\
    006b02de-614e-8b1b-aa37-49ddc9316417,f595f0a8-bd4e-5b1b-aa37-49ddc9316417,push.example.com,live,room1,\
    2026-10-01T08:00:00Z,2026-10-01T10:00:00Z,notification,confirmed,7200,\"The provider reported the end: the time of its \
    first receipt, or the expiry of its signature if earlier.\",,,2026-10-01 10:00:00,2026-10-01 12:00:00,Europe/Berlin,\
    2.00\r\n";
