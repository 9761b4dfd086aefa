//! `/v1/events`: the event log, and letting quarantined messages count.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, Admin, Body, Read};
use super::operator_ends::check_reason;
use crate::access::Principal;
use crate::api::error_responses::{Clash, NotThere, Refusals, TooLong};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader, read_filter};
use crate::app::state::AppState;
use crate::event_log::release;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::model::event::{AlteredMember, Disposition, QuarantineReason, Signature};
use crate::model::filter::EventFilter;
use crate::platform::clock;
use crate::query;
use crate::session::StreamKey;
use crate::store::event::EventRow;
use crate::store::event_list::EventPlace;

/// One entry of the event log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Opaque and stable.
    pub event_id: Uuid,
    /// The session that it is about.
    pub session_id: Uuid,
    /// The stream that it is about.
    pub stream_id: Uuid,
    /// Ingest domain.
    #[schema(example = "push.example.com")]
    pub domain: String,
    /// Application.
    #[schema(example = "live")]
    pub app: String,
    /// Stream name.
    #[schema(example = "example_stream")]
    pub stream: String,
    /// Unix seconds at which the push began.
    #[schema(example = 1_587_954_134)]
    pub publish_timestamp: i64,
    /// The provider's word (`PUBLISH`, `PUBLISH_DONE`, or one that is not documented), or one of ours: `SUPERSEDED`,
    /// `TIMED_OUT`, `OPERATOR_END`, `OPERATOR_END_WITHDRAWN`, `RELEASED`.
    #[schema(example = "PUBLISH")]
    pub event: String,
    /// When it arrived, by the service's clock.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: DateTime<Utc>,
    /// When it was appended, by the database's clock.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: DateTime<Utc>,
    /// Whether it counts.
    pub disposition: Disposition,
    /// Why it does not count, or, of a release, why it did not; null when it counts by itself.
    #[schema(required)]
    pub reason: Option<QuarantineReason>,
    /// Of a quarantined message: when an operator let it count; null before that.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub released_at: Option<DateTime<Utc>>,
    /// Of a release: the quarantined event that counts from here on.
    #[schema(required)]
    pub original_event_id: Option<Uuid>,
    /// How it was signed; null for what is not from the provider.
    #[schema(required)]
    pub signature: Option<Signature>,
    /// The key that the signature fits.
    #[schema(required)]
    pub key_id: Option<Uuid>,
    /// Unix second at which the signature expires.
    #[schema(required)]
    pub auth_timestamp: Option<i64>,
    /// The session whose message used the signature before, if this one counts all the same: both came within a second.
    #[schema(required)]
    pub signature_shared_with: Option<Uuid>,
    /// The unsigned members of the callback that could not be kept as they were sent: control characters are escaped, bytes
    /// that are no text replaced, long texts cut with `…`, and what cannot be read is dropped. `undocumented` stands for
    /// members that are not documented.
    pub altered_members: Vec<AlteredMember>,
    /// The operator who did it; null for what is not an operator's act.
    #[schema(required)]
    pub actor: Option<String>,
    /// The operator's reason.
    #[schema(required)]
    pub note: Option<String>,
    /// The encoder's address. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_ip: Option<Option<String>>,
    /// The receiving node's address. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub node_ip: Option<Option<String>>,
    /// The address that the message came from. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source_ip: Option<Option<String>>,
    /// Query string of the push URL, credentials masked. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user_args: Option<Option<String>>,
}

/// A page of log entries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventPage)]
pub struct EventPageView {
    /// The entries.
    pub data: Vec<EventView>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl EventView {
    /// An entry as this caller may see it.
    #[must_use]
    pub fn new(row: EventRow, principal: &Principal) -> Self {
        let personal = principal.may(Scope::Personal);
        let stream = StreamKey { domain: row.domain, app: row.app, stream: row.stream };
        let stream_id = stream.id().0;
        Self {
            event_id: row.event_id,
            session_id: row.session_id,
            stream_id,
            domain: stream.domain,
            app: stream.app,
            stream: stream.stream,
            publish_timestamp: row.publish_timestamp,
            event: row.event,
            received_at: row.received_at,
            recorded_at: row.recorded_at,
            disposition: row.disposition,
            reason: row.reason,
            released_at: row.released_at,
            original_event_id: row.original_event_id,
            signature: row.signature,
            key_id: row.key_id,
            auth_timestamp: row.auth_timestamp,
            signature_shared_with: row.signature_shared_with,
            altered_members: row.altered.unwrap_or_default(),
            actor: row.actor,
            note: row.note,
            client_ip: personal.then_some(row.client_ip),
            node_ip: personal.then_some(row.node_ip),
            source_ip: personal.then_some(row.source_ip),
            user_args: personal.then_some(row.user_args),
        }
    }
}

/// What is wanted of the event log, and which page of it.
pub struct ListEventsQuery {
    filter: EventFilter,
    page: PageRequest<EventPlace>,
}

impl FromQuery for ListEventsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        Self { filter: read_filter(query), page }
    }
}

/// List the event log
///
/// Everything that may change a session, as it was received: newest first, by the time of recording.
#[utoipa::path(
    tag = "support",
    params(EventFilter, PageParameters),
    responses(
        (status = 200, description = "A page of the log", body = EventPageView),
        Refusals,
    ),
)]
#[get("/v1/events")]
pub async fn list_events(
    Access { principal, .. }: Access<Read>,
    state: Data<AppState>,
    Query(parameters): Query<ListEventsQuery>,
) -> Result<Json<EventPageView>, ApiError> {
    let ListEventsQuery { filter, page } = parameters;
    let rows =
        query::events::list_events(&state.query_pool, &principal, false, &filter, page.after, page.limit).await?;
    let (data, next_cursor) =
        page.page(rows, |row| (row.recorded_at, row.shard, row.position), |row| EventView::new(row, &principal));
    Ok(Json(EventPageView { data, next_cursor }))
}

/// Why a message is released.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Release)]
pub struct ReleaseBody {
    /// The operator's reason, kept as the release's `note`.
    #[schema(max_length = 500, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "the encoder's clock was wrong")]
    reason: Option<String>,
}

/// Let a quarantined message count
///
/// Appends a `RELEASED` event, which is given back. The message then counts exactly as if it had been accepted when it
/// arrived.
#[utoipa::path(
    tag = "administration",
    params(("event_id" = Uuid, Path, description = "The quarantined event's id")),
    request_body = Option<ReleaseBody>,
    responses(
        (status = 200, description = "It counts: the release", body = EventView),
        Refusals,
        NotThere,
        Clash,
        TooLong,
    ),
)]
#[post("/v1/events/{event_id}/release")]
pub async fn release_event(
    Access { principal, .. }: Access<Admin>,
    state: Data<AppState>,
    event_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<ReleaseBody>,
) -> Result<Json<EventView>, ApiError> {
    let event_id = Uuid::try_parse(&event_id).map_err(|_| ApiError::NotFound("quarantined event"))?;
    body.reason.as_deref().map_or(Ok(()), check_reason)?;
    let release = release::release(&state.work_pool, &principal.actor, event_id, body.reason, clock::now()).await?;
    state.appended.notify_one();
    Ok(Json(EventView::new(release, &principal)))
}
