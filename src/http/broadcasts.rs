//! `/v1/broadcasts`: sessions of one stream, merged over short gaps.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{Access, RequireReadImpersonal};
use crate::api::error_responses::CommonErrors;
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::parameter::Parameters;
use crate::model::session::SessionStatus;
use crate::query;
use crate::session::StreamKey;
use crate::store::broadcast::BroadcastRow;

/// One day.
const MAX_MERGE_GAP_SECONDS: i64 = 86_400;

const DEFAULT_MERGE_GAP_SECONDS: u32 = 60;

/// Sessions of one stream, merged over short gaps.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Broadcast)]
pub struct BroadcastView {
    /// The stream.
    stream_id: Uuid,
    /// Start of the first session.
    #[schema(value_type = String, format = DateTime)]
    started_at: DateTime<Utc>,
    /// End of the last session; null while one is live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    ended_at: Option<DateTime<Utc>>,
    /// `live` while one of its sessions is.
    status: SessionStatus,
    /// Seconds during which at least one session was live, up to the time of the response.
    #[schema(minimum = 0)]
    on_air_seconds: i64,
    /// Number of gaps between the sessions.
    #[schema(minimum = 0)]
    interruptions: i64,
    /// The sessions, ordered by start.
    session_ids: Vec<Uuid>,
}

impl BroadcastView {
    fn new(stream_id: Uuid, row: BroadcastRow) -> Self {
        Self {
            stream_id,
            started_at: row.started_at,
            ended_at: row.ended_at,
            status: SessionStatus::of(row.ended_at),
            on_air_seconds: row.on_air_seconds,
            interruptions: row.interruptions,
            session_ids: row.session_ids,
        }
    }
}

/// A page of broadcasts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BroadcastPage)]
pub struct BroadcastPageView {
    /// The broadcasts.
    data: Vec<BroadcastView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    /// When the data was read.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

/// Select the stream by `stream_id`, or by `domain`, `app` and `stream`.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `ListBroadcastsQuery` reads")]
pub struct BroadcastParameters {
    /// ID of the stream, instead of its names.
    stream_id: Option<Uuid>,
    /// Exact ingest domain, with `app` and `stream`.
    domain: Option<String>,
    /// Exact app, with `domain` and `stream`.
    app: Option<String>,
    /// Exact stream name, with `domain` and `app`.
    stream: Option<String>,
    /// Maximum gap between sessions of one broadcast, in seconds.
    #[param(minimum = 0, maximum = 86_400, default = 60)]
    merge_gap_seconds: Option<i64>,
}

pub struct ListBroadcastsQuery {
    stream_id: Uuid,
    merge_gap_seconds: u32,
    page: PageRequest<DateTime<Utc>>,
}

impl FromQuery for ListBroadcastsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        let stream_id = query.get::<Uuid>("stream_id");
        let (domain, app, stream) = (query.string("domain"), query.string("app"), query.string("stream"));
        let stream_id = match (stream_id, domain, app, stream) {
            (Some(stream_id), None, None, None) => stream_id,
            (None, Some(domain), Some(app), Some(stream)) => StreamKey { domain, app, stream }.id().0,
            _ => {
                query.reject("stream_id", "is required unless domain, app and stream are given");
                Uuid::nil()
            }
        };
        let merge_gap_seconds = query.integer("merge_gap_seconds", 0..=MAX_MERGE_GAP_SECONDS);
        let merge_gap_seconds = merge_gap_seconds.and_then(|seconds| u32::try_from(seconds).ok());
        Self { stream_id, merge_gap_seconds: merge_gap_seconds.unwrap_or(DEFAULT_MERGE_GAP_SECONDS), page }
    }
}

/// List broadcasts
///
/// The sessions of one stream, newest first, merged if they overlap or if the gap between them is at most
/// `merge_gap_seconds`. Only a view: sessions and reports still count each push.
#[utoipa::path(
    tag = "dashboards",
    params(BroadcastParameters, PageParameters),
    responses(
        (status = 200, description = "A page of broadcasts", body = BroadcastPageView),
        CommonErrors,
    ),
)]
#[get("/v1/broadcasts")]
pub async fn list_broadcasts(
    Access { principal, .. }: Access<RequireReadImpersonal>,
    state: Data<AppState>,
    Query(ListBroadcastsQuery { stream_id, merge_gap_seconds, page }): Query<ListBroadcastsQuery>,
) -> Result<Json<BroadcastPageView>, ApiError> {
    let list = query::broadcasts::list_broadcasts(
        &state.query_pool,
        &principal,
        stream_id,
        merge_gap_seconds,
        page.after,
        page.limit,
    )
    .await?;
    let (data, next_cursor) = page.page(list.page, |row| row.started_at, |row| BroadcastView::new(stream_id, row));
    Ok(Json(BroadcastPageView { data, next_cursor, as_of: list.as_of }))
}
