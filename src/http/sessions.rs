//! `/v1/sessions`: pushes, live and past.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::events::{EventPageView, EventView};
use super::extract::{Access, RequireRead};
use super::files::{FormatRequest, Held, Workbook};
use super::reports::TimeZoneSchema;
use super::reports::timing::{Kind, Timing};
use super::session_file::{self, CSV_EXAMPLE, SessionFile};
use crate::api::error_responses::{CommonErrors, NotFoundResponse};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader, read_filter};
use crate::api::views::SessionView;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::model::filter::{CsvOptions, Filter, FormatOptions, SessionFilter, SessionOptions};
use crate::model::parameter::Parameters;
use crate::query;
use crate::query::sessions::SessionList;
use crate::report::file::table::Wording;
use crate::store::session_list::SessionPage;

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionPage)]
pub struct SessionPageView {
    /// The sessions.
    data: Vec<SessionView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Number of all matching sessions. Only with `include_total=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    /// When the data was read.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

/// The time zone of files.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `ListSessionsQuery` reads")]
pub struct ZoneParameters {
    /// The time zone of local times in files. It has no effect on JSON.
    #[param(value_type = Option<TimeZoneSchema>, default = "UTC")]
    time_zone: Option<String>,
}

pub struct ListSessionsQuery {
    format: FormatRequest,
    time_zone: Option<Tz>,
    filter: SessionFilter,
    options: SessionOptions,
    page: PageRequest<Uuid>,
}

impl FromQuery for ListSessionsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let format = FormatRequest::read(query);
        let time_zone = query.get("time_zone");
        let page = PageRequest::from_query(query);
        Self { format, time_zone, filter: read_filter(query), options: SessionOptions::read(query), page }
    }
}

/// List sessions
///
/// Every push, live and past, newest start first. A session must match all filters. Periods are half-open, `[from, to)`.
/// Later pages neither repeat nor skip a session that still matches.
///
/// JSON comes in pages. CSV and workbooks have all sessions that match, at most 100,000: more are answered 400.
#[utoipa::path(
    tags = ["support", "billing"],
    params(SessionFilter, SessionOptions, FormatOptions, CsvOptions, ZoneParameters, PageParameters),
    responses(
        (
            status = 200,
            description = "A page of sessions, or a file of all",
            content(
                (SessionPageView = "application/json"),
                (String = "text/csv", example = json!(CSV_EXAMPLE)),
                (Workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ),
        ),
        CommonErrors,
    ),
)]
#[get("/v1/sessions")]
pub async fn list_sessions(
    Access { principal, .. }: Access<RequireRead>,
    state: Data<AppState>,
    request: HttpRequest,
    Query(parameters): Query<ListSessionsQuery>,
) -> Result<HttpResponse, ApiError> {
    let ListSessionsQuery { format, time_zone, filter, options, page } = parameters;
    if (filter.client_ip.is_some() || filter.node_ip.is_some()) && !principal.may(Scope::Personal) {
        return Err(ApiError::Forbidden(Scope::Personal));
    }
    let order = options.sort.unwrap_or_default();
    if let Some(format) = format.resolve(&request)? {
        if options.include_total.is_some() {
            return Err(ApiError::invalid("include_total", "needs format=json"));
        }
        let held = Held::take(&state, &principal, format, Timing::begin(Kind::Sessions))?;
        let query = request.query_string().to_owned();
        let zone = time_zone.unwrap_or_default();
        let file = SessionFile { filter, order, zone, query, wording: Wording::english("Sessions") };
        return session_file::respond(&state, principal, file, format, held).await;
    }
    let wanted = SessionPage { order, after: page.after, limit: page.limit };
    let unconfirmed_after = state.unconfirmed_after;
    let SessionList { page: rows, total, as_of } = query::sessions::list_sessions(
        &state.query_pool,
        &principal,
        unconfirmed_after,
        &filter,
        wanted,
        options.include_total.unwrap_or(false),
    )
    .await?;
    let (data, next_cursor) = page.page(
        rows,
        |row| row.session_id,
        |row| SessionView::new(row, principal.may(Scope::Personal), as_of, unconfirmed_after),
    );
    Ok(HttpResponse::Ok().json(SessionPageView { data, next_cursor, total, as_of }))
}

/// Get a session
///
/// Returns 404 if the ID is unknown.
#[utoipa::path(
    tag = "support",
    params(("session_id" = Uuid, Path, description = "The ID of the session")),
    responses(
        (status = 200, description = "The session", body = SessionView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/sessions/{session_id}")]
pub async fn get_session(
    Access { principal, .. }: Access<RequireRead>,
    state: Data<AppState>,
    session_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<Json<SessionView>, ApiError> {
    let session_id = parse_id(&session_id, "session")?;
    let (session, as_of) = query::sessions::get_session(&state.query_pool, &principal, session_id)
        .await?
        .ok_or(ApiError::NotFound("session"))?;
    let last_listed_at = query::sessions::get_last_listed_at(&state.query_pool, &session).await?;
    let view = SessionView::new(session, principal.may(Scope::Personal), as_of, state.unconfirmed_after);
    Ok(Json(view.with_last_listed_at(last_listed_at)))
}

#[derive(Debug)]
pub struct ListSessionEventsQuery {
    page: PageRequest<i64>,
}

impl FromQuery for ListSessionEventsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// List a session's events
///
/// All events of a session, newest first: callbacks as received (also repeated ones), inferred ends, and operators' actions.
#[utoipa::path(
    tag = "support",
    params(("session_id" = Uuid, Path, description = "The ID of the session"), PageParameters),
    responses(
        (status = 200, description = "A page of events", body = EventPageView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/sessions/{session_id}/events")]
pub async fn list_session_events(
    Access { principal, .. }: Access<RequireRead>,
    state: Data<AppState>,
    session_id: Path<String>,
    Query(parameters): Query<ListSessionEventsQuery>,
) -> Result<Json<EventPageView>, ApiError> {
    let session_id = parse_id(&session_id, "session")?;
    let page = &parameters.page;
    let rows = query::events::list_session_events(&state.query_pool, &principal, session_id, page.after, page.limit)
        .await?
        .ok_or(ApiError::NotFound("session"))?;
    let (data, next_cursor) = page.page(rows, |row| row.position, |row| EventView::new(row, &principal));
    Ok(Json(EventPageView { data, next_cursor }))
}
