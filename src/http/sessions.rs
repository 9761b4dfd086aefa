//! `/v1/sessions`: pushes, live and past.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::events::{EventPageView, EventView};
use super::extract::{Access, Read};
use super::streams::read_renditions;
use crate::access::Principal;
use crate::api::error_responses::{NotThere, Refusals};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::api::schema::SortWord;
use crate::api::views::SessionView;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::model::session::{EndSource, Flag, Renditions, SessionStatus, TimeField};
use crate::query;
use crate::query::sessions::SessionPlace;
use crate::store::session_list::SessionFilter;

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
    /// The moment that the whole list is of: when its first page was read.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

/// Filters of the list of sessions.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListSessionsQuery {
    /// Exact ingest domain.
    domain: Option<String>,
    /// Exact application.
    app: Option<String>,
    /// Exact stream name.
    stream: Option<String>,
    /// How the stream's name begins.
    stream_prefix: Option<String>,
    /// Exact stream.
    stream_id: Option<Uuid>,
    /// Exact start, in Unix seconds.
    #[param(minimum = 0, maximum = 9_999_999_999_i64)]
    publish_timestamp: Option<i64>,
    /// On air or over.
    status: Option<SessionStatus>,
    /// Live for longer than the service believes without a word, or not.
    unconfirmed: Option<bool>,
    /// Who says that it ended.
    ended_at_source: Option<EndSource>,
    /// A flag that is set.
    flag: Option<Flag>,
    /// Exact address of the encoder. Needs scope `personal`.
    client_ip: Option<String>,
    /// Exact address of the receiving node. Needs scope `personal`.
    node_ip: Option<String>,
    /// Least whole seconds.
    #[param(minimum = 0, maximum = 9_999_999_999_i64)]
    min_duration_seconds: Option<i64>,
    /// Most whole seconds.
    #[param(minimum = 0, maximum = 9_999_999_999_i64)]
    max_duration_seconds: Option<i64>,
    /// Whether transcoded renditions are wanted.
    #[param(value_type = Option<Renditions>, default = "include")]
    renditions: Renditions,
    /// Begin of a period, inclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<DateTime<Utc>>,
    /// End of a period, exclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<DateTime<Utc>>,
    /// What the period is compared with: being on air at some moment of it, the start, or the end.
    #[param(value_type = Option<TimeField>, default = "overlap")]
    time_field: TimeField,
    /// Live at this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<DateTime<Utc>>,
    /// Newest start first, or oldest.
    #[param(value_type = Option<SortWord>, default = "-started_at")]
    sort: NewestFirst,
    /// Adds `total`.
    #[param(default = false)]
    include_total: Option<bool>,
    #[param(ignore)]
    page: PageRequest<SessionPlace>,
}

type NewestFirst = bool;

impl FromQuery for ListSessionsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        let seconds = 0..=9_999_999_999;
        let parameters = Self {
            domain: query.text("domain"),
            app: query.text("app"),
            stream: query.text("stream"),
            stream_prefix: query.text("stream_prefix"),
            stream_id: query.id("stream_id"),
            publish_timestamp: query.integer("publish_timestamp", seconds.clone()),
            status: query.one_of("status"),
            unconfirmed: query.flag("unconfirmed"),
            ended_at_source: query.one_of("ended_at_source"),
            flag: query.one_of("flag"),
            client_ip: query.text("client_ip"),
            node_ip: query.text("node_ip"),
            min_duration_seconds: query.integer("min_duration_seconds", seconds.clone()),
            max_duration_seconds: query.integer("max_duration_seconds", seconds),
            renditions: read_renditions(query).unwrap_or(Renditions::Include),
            from: query.time("from"),
            to: query.time("to"),
            time_field: query.one_of("time_field").unwrap_or(TimeField::Overlap),
            at: query.time("at"),
            sort: query.word("sort", &[("-started_at", true), ("started_at", false)]).unwrap_or(true),
            include_total: query.flag("include_total"),
            page,
        };
        if parameters.from.zip(parameters.to).is_some_and(|(from, to)| from >= to) {
            query.refuse("to", "must lie after from");
        }
        parameters
    }
}

impl ListSessionsQuery {
    fn filter(&self, principal: &Principal, as_of: DateTime<Utc>, unconfirmed_after: TimeDelta) -> SessionFilter {
        SessionFilter {
            visible_domains: principal.visible_domains().map(<[String]>::to_vec),
            domain: self.domain.clone(),
            app: self.app.clone(),
            stream: self.stream.clone(),
            stream_prefix: self.stream_prefix.clone(),
            stream_id: self.stream_id,
            publish_timestamp: self.publish_timestamp,
            status: self.status,
            unconfirmed: self.unconfirmed,
            unconfirmed_after,
            ended_at_source: self.ended_at_source,
            flag: self.flag,
            client_ip: self.client_ip.clone(),
            node_ip: self.node_ip.clone(),
            min_duration_seconds: self.min_duration_seconds,
            max_duration_seconds: self.max_duration_seconds,
            renditions: self.renditions,
            from: self.from,
            to: self.to,
            time_field: self.time_field,
            at: self.at,
            as_of,
        }
    }
}

/// List sessions
///
/// Every push, live and past, newest start first. All filters narrow; periods are half-open, `[from, to)`. The pages of a
/// list show what was there when the first of them was read, as it was then.
#[utoipa::path(
    tags = ["support", "billing"],
    params(ListSessionsQuery, PageParameters),
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
    if (parameters.client_ip.is_some() || parameters.node_ip.is_some()) && !principal.may(Scope::Personal) {
        return Err(ApiError::Forbidden(Scope::Personal));
    }
    let unconfirmed_after = state.unconfirmed_after;
    let list = query::sessions::list_sessions(
        &state.query_pool,
        |as_of| parameters.filter(&principal, as_of, unconfirmed_after),
        parameters.sort,
        parameters.page.after,
        parameters.page.limit,
        parameters.include_total == Some(true),
    )
    .await?;
    let (moment, as_of) = (list.moment, list.moment.as_of);
    let (data, next_cursor) = parameters.page.page(
        list.page,
        |row| (row.started_at, row.session_id, moment),
        |row| SessionView::new(row, principal.may(Scope::Personal), as_of, unconfirmed_after),
    );
    Ok(Json(SessionPageView { data, next_cursor, total: list.total, as_of }))
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
