//! `/v1/streams`: streams and their status.

use actix_web::get;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caching::{PollParameters, Tagged};
use super::extract::{Access, RequireReadImpersonal};
use crate::api::error_responses::{CommonErrors, NotFoundResponse, Unchanged};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader, read_filter};
use crate::api::views::RenditionView;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::filter::StreamFilter;
use crate::model::session::StreamStatus;
use crate::query;
use crate::store::stream::{AfterStream, StreamRow};

/// A stream. It is live while at least one of its sessions is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub struct StreamView {
    /// Opaque, stable ID.
    stream_id: Uuid,
    /// Ingest domain.
    #[schema(example = "push.example.com")]
    domain: String,
    /// App.
    #[schema(example = "live")]
    app: String,
    /// Stream name.
    #[schema(example = "example_stream")]
    stream: String,
    /// `live` or `offline`.
    status: StreamStatus,
    /// Number of live sessions.
    #[schema(minimum = 0)]
    live_sessions: i64,
    /// Start of the oldest live session; null while offline.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    live_since: Option<DateTime<Utc>>,
    /// Start of the newest session.
    #[schema(value_type = String, format = DateTime)]
    last_started_at: DateTime<Utc>,
    /// Latest end of a session; null if none has ended.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    last_ended_at: Option<DateTime<Utc>>,
    /// The source stream, if this is a transcoded rendition; null for a source.
    #[schema(required)]
    rendition_of: Option<RenditionView>,
}

/// A page of streams.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamPage)]
pub struct StreamPageView {
    /// The streams.
    pub data: Vec<StreamView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl From<StreamRow> for StreamView {
    fn from(row: StreamRow) -> Self {
        Self {
            rendition_of: RenditionView::new(&row.domain, &row.app, &row.stream, row.rendition_template),
            stream_id: row.stream_id,
            domain: row.domain,
            app: row.app,
            stream: row.stream,
            status: StreamStatus::of(row.live_sessions),
            live_sessions: row.live_sessions,
            live_since: row.live_since,
            last_started_at: row.last_started_at,
            last_ended_at: row.last_ended_at,
        }
    }
}

pub struct ListStreamsQuery {
    filter: StreamFilter,
    page: PageRequest<AfterStream>,
}

impl FromQuery for ListStreamsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        Self { filter: read_filter(query), page }
    }
}

/// List streams
///
/// Every stream that was ever pushed, ordered by domain, app and name.
#[utoipa::path(
    tag = "dashboards",
    params(StreamFilter, PageParameters, PollParameters),
    responses(
        (status = 200, description = "A page of streams", body = StreamPageView, headers(("ETag" = String, description = "Weak ETag of the content without `as_of`"))),
        Unchanged,
        CommonErrors,
    ),
)]
#[get("/v1/streams")]
pub async fn list_streams(
    Access { principal, .. }: Access<RequireReadImpersonal>,
    state: Data<AppState>,
    Query(parameters): Query<ListStreamsQuery>,
) -> Result<Tagged<StreamPageView>, ApiError> {
    let ListStreamsQuery { filter, page } = parameters;
    let after = page.after.clone();
    let rows = query::streams::list_streams(&state.query_pool, &principal, &filter, after, page.limit).await?;
    let (data, next_cursor) =
        page.page(rows, |row| (row.domain.clone(), row.app.clone(), row.stream.clone()), StreamView::from);
    Ok(Tagged(StreamPageView { data, next_cursor }))
}

/// Get a stream
///
/// Returns 404 if the ID is unknown.
#[utoipa::path(
    tag = "dashboards",
    params(("stream_id" = Uuid, Path, description = "The ID of the stream"), PollParameters),
    responses(
        (status = 200, description = "The stream", body = StreamView, headers(("ETag" = String, description = "Weak ETag of the content without `as_of`"))),
        Unchanged,
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/streams/{stream_id}")]
pub async fn get_stream(
    Access { principal, .. }: Access<RequireReadImpersonal>,
    state: Data<AppState>,
    stream_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<Tagged<StreamView>, ApiError> {
    let stream_id = parse_id(&stream_id, "stream")?;
    let stream = query::streams::get_stream(&state.query_pool, &principal, stream_id).await?;
    Ok(Tagged(stream.ok_or(ApiError::NotFound("stream"))?.into()))
}
