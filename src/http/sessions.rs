//! `/v1/sessions`: pushes, live and past.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::events::{EventPageView, EventView};
use super::extract::{Access, Read};
use crate::api::error_responses::{NotThere, Refusals};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader, read_filter};
use crate::api::schema::SortWord;
use crate::api::views::SessionView;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::model::filter::SessionFilter;
use crate::model::parameter::Parameters;
use crate::query;
use crate::query::sessions::{SessionList, SessionPlace};
use crate::store::session_list::SessionPage;

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionPage)]
pub struct SessionPageView {
    /// The sessions.
    data: Vec<SessionView>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// How many sessions fit in all. Only with `include_total=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    /// When this page was read.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

/// What else there is to say about the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `ListSessionsQuery` reads")]
pub struct SessionListParameters {
    /// Newest start first, or oldest.
    #[param(value_type = Option<SortWord>, default = "-started_at")]
    sort: Option<String>,
    /// Adds `total`.
    #[param(default = false)]
    include_total: Option<bool>,
}

/// Which sessions, and which page of them.
pub struct ListSessionsQuery {
    filter: SessionFilter,
    newest_first: bool,
    include_total: bool,
    page: PageRequest<SessionPlace>,
}

impl FromQuery for ListSessionsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        Self {
            filter: read_filter(query),
            newest_first: query.word("sort", &[("-started_at", true), ("started_at", false)]).unwrap_or(true),
            include_total: query.get("include_total").unwrap_or(false),
            page,
        }
    }
}

/// List sessions
///
/// Every push, live and past, newest start first. All filters narrow; periods are half-open, `[from, to)`. A
/// session is neither repeated nor skipped on later pages while it matches.
#[utoipa::path(
    tags = ["support", "billing"],
    params(SessionFilter, SessionListParameters, PageParameters),
    responses(
        (status = 200, description = "A page of sessions", body = SessionPageView),
        Refusals,
    ),
)]
#[get("/v1/sessions")]
pub async fn list_sessions(
    Access { principal, .. }: Access<Read>,
    state: Data<AppState>,
    Query(parameters): Query<ListSessionsQuery>,
) -> Result<Json<SessionPageView>, ApiError> {
    let ListSessionsQuery { filter, newest_first, include_total, page } = parameters;
    if (filter.client_ip.is_some() || filter.node_ip.is_some()) && !principal.may(Scope::Personal) {
        return Err(ApiError::Forbidden(Scope::Personal));
    }
    let wanted = SessionPage { newest_first, after: page.after, limit: page.limit };
    let unconfirmed_after = state.unconfirmed_after;
    let SessionList { page: rows, total, as_of } = query::sessions::list_sessions(
        &state.query_pool,
        &principal,
        unconfirmed_after,
        &filter,
        wanted,
        include_total,
    )
    .await?;
    let (data, next_cursor) = page.page(
        rows,
        |row| (row.started_at, row.session_id),
        |row| SessionView::new(row, principal.may(Scope::Personal), as_of, unconfirmed_after),
    );
    Ok(Json(SessionPageView { data, next_cursor, total, as_of }))
}

/// Get a session
///
/// One push, with all that is known of it. What is not the id of a session is not there.
#[utoipa::path(
    tag = "support",
    params(("session_id" = Uuid, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session", body = SessionView),
        Refusals,
        NotThere,
    ),
)]
#[get("/v1/sessions/{session_id}")]
pub async fn get_session(
    Access { principal, .. }: Access<Read>,
    state: Data<AppState>,
    session_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<Json<SessionView>, ApiError> {
    let session_id = read_session_id(&session_id)?;
    let (session, as_of) = query::sessions::get_session(&state.query_pool, &principal, session_id)
        .await?
        .ok_or(ApiError::NotFound("session"))?;
    Ok(Json(SessionView::new(session, principal.may(Scope::Personal), as_of, state.unconfirmed_after)))
}

/// Filters of one session's log.
#[derive(Debug)]
pub struct ListSessionEventsQuery {
    page: PageRequest<i64>,
}

impl FromQuery for ListSessionEventsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// List a session's log entries
///
/// Everything that the log says about a session, newest first: messages as received (repeats too), findings, and
/// operators' acts.
#[utoipa::path(
    tag = "support",
    params(("session_id" = Uuid, Path, description = "The session's id"), PageParameters),
    responses(
        (status = 200, description = "A page of entries", body = EventPageView),
        Refusals,
        NotThere,
    ),
)]
#[get("/v1/sessions/{session_id}/events")]
pub async fn list_session_events(
    Access { principal, .. }: Access<Read>,
    state: Data<AppState>,
    session_id: Path<String>,
    Query(parameters): Query<ListSessionEventsQuery>,
) -> Result<Json<EventPageView>, ApiError> {
    let session_id = read_session_id(&session_id)?;
    let page = &parameters.page;
    let rows = query::events::list_session_events(&state.query_pool, &principal, session_id, page.after, page.limit)
        .await?
        .ok_or(ApiError::NotFound("session"))?;
    let (data, next_cursor) = page.page(rows, |row| row.position, |row| EventView::new(row, &principal));
    Ok(Json(EventPageView { data, next_cursor }))
}

/// Ids are opaque: what is none of ours is not there.
pub(super) fn read_session_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| ApiError::NotFound("session"))
}
