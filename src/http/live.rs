//! `/v1/live`: live counts.

use actix_web::get;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::caching::{PollParameters, Tagged};
use super::extract::{Access, RequireReadImpersonal};
use crate::api::error_responses::{CommonErrors, Unchanged};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader, read_filter};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::filter::{Filter, LiveFilter, LiveOptions};
use crate::query;
use crate::query::live::GroupCounts;

/// Live counts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Live)]
pub struct LiveView {
    /// When the data was read.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
    /// Streams with at least one live session.
    #[schema(minimum = 0)]
    live_streams: i64,
    /// Live sessions.
    #[schema(minimum = 0)]
    live_sessions: i64,
    /// Live sessions with no recent confirmation (`unconfirmed`).
    #[schema(minimum = 0)]
    unconfirmed_sessions: i64,
    /// Streams that the provider's list contained within the last 5 minutes, and for which no callback was received.
    /// They are not live streams here, and are in no group. The filter `renditions` has no effect on them.
    #[schema(minimum = 0)]
    listed_only_streams: i64,
    /// The counts of each group; empty without `group_by`.
    groups: Vec<LiveGroupView>,
}

/// Live counts of one group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveGroup)]
pub struct LiveGroupView {
    /// Ingest domain of the group.
    domain: String,
    /// App of the group, with `group_by=domain,app`.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    /// Streams with at least one live session.
    #[schema(minimum = 0)]
    live_streams: i64,
    /// Live sessions.
    #[schema(minimum = 0)]
    live_sessions: i64,
    /// Live sessions with no recent confirmation (`unconfirmed`).
    #[schema(minimum = 0)]
    unconfirmed_sessions: i64,
}

impl From<GroupCounts> for LiveGroupView {
    fn from(group: GroupCounts) -> Self {
        let GroupCounts { domain, app, counts } = group;
        Self {
            domain,
            app,
            live_streams: counts.live_streams,
            live_sessions: counts.live_sessions,
            unconfirmed_sessions: counts.unconfirmed_sessions,
        }
    }
}

pub struct GetLiveQuery {
    filter: LiveFilter,
    options: LiveOptions,
}

impl FromQuery for GetLiveQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { filter: read_filter(query), options: LiveOptions::read(query) }
    }
}

/// Count live streams and sessions
///
/// The total, and with `group_by` also by domain, or by domain and app.
#[utoipa::path(
    tag = "dashboards",
    params(LiveFilter, LiveOptions, PollParameters),
    responses(
        (status = 200, description = "The counts", body = LiveView, headers(("ETag" = String, description = "Weak ETag of the content without `as_of`"))),
        Unchanged,
        CommonErrors,
    ),
)]
#[get("/v1/live")]
pub async fn get_live(
    Access { principal, .. }: Access<RequireReadImpersonal>,
    state: Data<AppState>,
    Query(parameters): Query<GetLiveQuery>,
) -> Result<Tagged<LiveView>, ApiError> {
    let GetLiveQuery { filter, options: LiveOptions { group_by } } = parameters;
    let visible_domains = principal.visible_domains();
    let counts =
        query::live::count_live(&state.query_pool, visible_domains, &filter, state.unconfirmed_after, group_by).await?;
    Ok(Tagged(LiveView {
        as_of: counts.as_of,
        live_streams: counts.whole.live_streams,
        live_sessions: counts.whole.live_sessions,
        unconfirmed_sessions: counts.whole.unconfirmed_sessions,
        listed_only_streams: counts.listed_only_streams,
        groups: counts.groups.into_iter().map(LiveGroupView::from).collect(),
    }))
}
