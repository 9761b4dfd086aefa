//! `/v1/broadcasts`: sessions of one stream, merged over short gaps.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{Access, ReadImpersonal};
use crate::api::error_responses::Refusals;
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

/// The longest gap that can be asked to be merged over: a day.
const MAX_MERGE_GAP_SECONDS: i64 = 86_400;

const DEFAULT_MERGE_GAP_SECONDS: u32 = 60;

/// Sessions of one stream that overlap or nearly follow each other.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Broadcast)]
pub struct BroadcastView {
    /// The stream.
    stream_id: Uuid,
    /// When its first session began.
    #[schema(value_type = String, format = DateTime)]
    started_at: DateTime<Utc>,
    /// When the last of its sessions ended; null while one is live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    ended_at: Option<DateTime<Utc>>,
    /// Whether one of its sessions is on air.
    status: SessionStatus,
    /// Whole seconds during which at least one of its sessions was on air, up to the moment of the answer.
    #[schema(minimum = 0)]
    on_air_seconds: i64,
    /// How often none was, in between.
    #[schema(minimum = 0)]
    interruptions: i64,
    /// Its sessions, in the order of their starts.
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
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// When this was read.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

/// The stream whose broadcasts are wanted, by its id or by all of its names.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `ListBroadcastsQuery` reads")]
pub struct BroadcastParameters {
    /// The stream, instead of its names.
    stream_id: Option<Uuid>,
    /// Exact ingest domain, with `app` and `stream`.
    domain: Option<String>,
    /// Exact application, with `domain` and `stream`.
    app: Option<String>,
    /// Exact stream name, with `domain` and `app`.
    stream: Option<String>,
    /// The longest gap, in seconds, that does not end a broadcast.
    #[param(minimum = 0, maximum = 86_400, default = 60)]
    merge_gap_seconds: Option<i64>,
}

/// Which broadcasts are wanted, and which page of them.
pub struct ListBroadcastsQuery {
    stream_id: Uuid,
    merge_gap_seconds: u32,
    page: PageRequest<DateTime<Utc>>,
}

impl FromQuery for ListBroadcastsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        let stream_id = query.get::<Uuid>("stream_id");
        let (domain, app, stream) = (query.text("domain"), query.text("app"), query.text("stream"));
        let stream_id = match (stream_id, domain, app, stream) {
            (Some(stream_id), None, None, None) => stream_id,
            (None, Some(domain), Some(app), Some(stream)) => StreamKey { domain, app, stream }.id().0,
            _ => {
                query.refuse("stream_id", "must be given, or else all of domain, app and stream");
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
/// The sessions of one stream, newest first, merged where they overlap or where the gap between them is at most
/// `merge_gap_seconds`. A view for people: sessions and bills stay per push.
#[utoipa::path(
    tag = "dashboards",
    params(BroadcastParameters, PageParameters),
    responses(
        (status = 200, description = "A page of broadcasts", body = BroadcastPageView),
        Refusals,
    ),
)]
#[get("/v1/broadcasts")]
pub async fn list_broadcasts(
    Access { principal, .. }: Access<ReadImpersonal>,
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
