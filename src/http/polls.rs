//! What the provider's lists of a domain have shown.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, RequireRead};
use crate::access::Principal;
use crate::api::error_responses::{CommonErrors, NotFoundResponse};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::api::schema::RegisteredName;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::polling::{DifferenceKind, PollOutcome};
use crate::query;
use crate::store::polling::{DifferenceKey, DifferenceRow, PollRow};

/// A reading of the provider's list of live streams.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Poll)]
pub struct PollView {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    begun_at: DateTime<Utc>,
    /// How long it took.
    #[schema(minimum = 0)]
    milliseconds: i32,
    /// `complete`; `torn`: it changed while it was read; `throttled`: too many requests; `refused`: the key, its
    /// permissions, or arrears of the account; `not_found`: no such project or domain; `failed`: no usable answer;
    /// `resting`: not read, requests are paused after rejections or throttling. Only a complete list shows that a
    /// stream is not on air.
    outcome: PollOutcome,
    /// Pages that were read.
    #[schema(minimum = 0)]
    pages: i32,
    /// Streams in the list.
    #[schema(minimum = 0)]
    listed: i32,
    /// Sessions here that were in the list.
    #[schema(minimum = 0)]
    matched: i32,
    /// The provider's code of an error, such as `LIVE.100011001`.
    #[schema(required)]
    error_code: Option<String>,
    /// Whether many sessions disappeared from the list at once: no session then ends because of the list for at least
    /// 15 minutes.
    mass_absence: bool,
}

impl From<PollRow> for PollView {
    fn from(row: PollRow) -> Self {
        let PollRow { begun_at, milliseconds, outcome, pages, listed, matched, error_code, mass_absence } = row;
        Self { begun_at, milliseconds, outcome, pages, listed, matched, error_code, mass_absence }
    }
}

/// A page of readings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PollPage)]
pub struct PollPageView {
    /// The readings, newest first.
    data: Vec<PollView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Where the provider's lists and its callbacks disagree about a push.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderDifference)]
pub struct DifferenceView {
    /// `unlisted`: a live session is no longer listed, so its end callback was lost; `listed`: a session whose end was
    /// inferred is listed, so it is live; `history`: the history has the end of a session whose end is not known, or
    /// was inferred; `unknown_push`: a push is listed for which no callback was received; `missed_push`: the history
    /// has a push for which no callback was received; `end_differs`: the history's end is more than a minute from the
    /// callback's.
    kind: DifferenceKind,
    /// App.
    app: String,
    /// Stream name.
    stream: String,
    /// Start of the push: by its callbacks, or, of an unknown push, by the list.
    #[schema(value_type = String, format = DateTime)]
    started_at: DateTime<Utc>,
    /// The session; null if there is none, because no callback was received.
    #[schema(required)]
    session_id: Option<Uuid>,
    /// The end that the lists or the history show; null if they show none.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    ended_at: Option<DateTime<Utc>>,
    /// When it was seen first.
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: DateTime<Utc>,
    /// When it was seen last. An unknown push is seen with every list that has it.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: DateTime<Utc>,
    /// Whether the correction was appended to the event log.
    repaired: bool,
}

impl From<DifferenceRow> for DifferenceView {
    fn from(row: DifferenceRow) -> Self {
        let DifferenceRow { key, session_id, ended_at, first_seen_at, repaired } = row;
        let DifferenceKey { last_seen_at, kind, app, stream, started_at } = key;
        Self { kind, app, stream, started_at, session_id, ended_at, first_seen_at, last_seen_at, repaired }
    }
}

/// A page of differences.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderDifferencePage)]
pub struct DifferencePageView {
    /// The differences, the last seen first.
    data: Vec<DifferenceView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

pub struct ListPollsQuery {
    page: PageRequest<DateTime<Utc>>,
}

impl FromQuery for ListPollsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

pub struct ListDifferencesQuery {
    page: PageRequest<DifferenceKey>,
}

impl FromQuery for ListDifferencesQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// List the readings of a domain's list of live streams
///
/// The service reads the list every minute, if the domain's `poll_mode` is not `off`. Complete readings are kept for a day, others for eight.
#[utoipa::path(
    tag = "support",
    params(("domain" = RegisteredName, Path, description = "The name of the domain"), PageParameters),
    responses(
        (status = 200, description = "A page of readings", body = PollPageView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/domains/{domain}/polls")]
pub async fn list_polls(
    Access { principal, .. }: Access<RequireRead>,
    state: Data<AppState>,
    domain: Path<String>,
    Query(ListPollsQuery { page }): Query<ListPollsQuery>,
) -> Result<Json<PollPageView>, ApiError> {
    find_domain(&state, &principal, &domain).await?;
    let rows = query::provider_lists::list_polls(&state.query_pool, &domain, page.after, page.limit).await?;
    let (data, next_cursor) = page.page(rows, |row| row.begun_at, PollView::from);
    Ok(Json(PollPageView { data, next_cursor }))
}

/// List where the provider's lists and its callbacks disagree
///
/// In a domain's poll mode `observe`, differences change nothing; in `repair`, those marked as repaired are corrected
/// in the event log. Kept for eight days.
#[utoipa::path(
    tag = "support",
    params(("domain" = RegisteredName, Path, description = "The name of the domain"), PageParameters),
    responses(
        (status = 200, description = "A page of differences", body = DifferencePageView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/domains/{domain}/provider-differences")]
pub async fn list_provider_differences(
    Access { principal, .. }: Access<RequireRead>,
    state: Data<AppState>,
    domain: Path<String>,
    Query(ListDifferencesQuery { page }): Query<ListDifferencesQuery>,
) -> Result<Json<DifferencePageView>, ApiError> {
    find_domain(&state, &principal, &domain).await?;
    let after = page.after.clone();
    let rows = query::provider_lists::list_differences(&state.query_pool, &domain, after, page.limit).await?;
    let (data, next_cursor) = page.page(rows, |row| row.key.clone(), DifferenceView::from);
    Ok(Json(DifferencePageView { data, next_cursor }))
}

/// A domain that the token does not see is not there.
async fn find_domain(state: &AppState, principal: &Principal, domain: &str) -> Result<(), ApiError> {
    let row = query::provider_lists::get_domain(&state.query_pool, principal, domain).await?;
    row.map(drop).ok_or(ApiError::NotFound("domain"))
}
