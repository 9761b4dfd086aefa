//! `/v1/events`: the event log, and the release of quarantined events.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, Body, RequireAdmin, RequireRead};
use super::operator_ends::check_note;
use crate::access::Principal;
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse, PayloadErrors};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
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

/// One event of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Opaque, stable ID.
    pub event_id: Uuid,
    /// The session of the event.
    pub session_id: Uuid,
    /// The stream of the event.
    pub stream_id: Uuid,
    /// Ingest domain.
    #[schema(example = "push.example.com")]
    pub domain: String,
    /// App.
    #[schema(example = "live")]
    pub app: String,
    /// Stream name.
    #[schema(example = "example_stream")]
    pub stream: String,
    /// Start of the push, in Unix seconds.
    #[schema(example = 1_587_954_134)]
    pub publish_timestamp: i64,
    /// The event of the callback (`PUBLISH`, `PUBLISH_DONE`, or an undocumented one), or `SUPERSEDED`, `TIMED_OUT`,
    /// `OPERATOR_END`, `OPERATOR_END_WITHDRAWN`, `OPERATOR_CONFIRMED`, `RELEASED`.
    #[schema(example = "PUBLISH")]
    pub event: String,
    /// Time of receipt, by the clock of the service.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: DateTime<Utc>,
    /// Time of recording, by the clock of the database.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: DateTime<Utc>,
    /// Whether the event counts.
    pub disposition: Disposition,
    /// Why the event, or the released event, was quarantined; null if it was accepted.
    #[schema(required)]
    pub reason: Option<QuarantineReason>,
    /// When an operator released this quarantined event; null before.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub released_at: Option<DateTime<Utc>>,
    /// For a release: the quarantined event.
    #[schema(required)]
    pub original_event_id: Option<Uuid>,
    /// How the callback was authenticated; null for events that are not callbacks.
    #[schema(required)]
    pub signature: Option<Signature>,
    /// The key of the signature.
    #[schema(required)]
    pub key_id: Option<Uuid>,
    /// Expiry of the signature, in Unix seconds.
    #[schema(required)]
    pub auth_timestamp: Option<i64>,
    /// Another session whose callback used the same signature within the second before; the event counts nevertheless.
    #[schema(required)]
    pub signature_shared_with: Option<Uuid>,
    /// Unsigned members of the callback that are not stored exactly as sent: control characters are escaped, invalid UTF-8 is
    /// replaced, long values are truncated with `…`, and unreadable values are dropped. `undocumented` means the undocumented
    /// members.
    pub altered_members: Vec<AlteredMember>,
    /// Whether the callback was rejected when it arrived, kept, and admitted by a later retry.
    pub retried: bool,
    /// The operator; null if the event is not an operator's action.
    #[schema(required)]
    pub actor: Option<String>,
    /// The operator's reason.
    #[schema(required)]
    pub note: Option<String>,
    /// IP address of the encoder. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_ip: Option<Option<String>>,
    /// IP address of the receiving node. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub node_ip: Option<Option<String>>,
    /// IP address of the sender. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source_ip: Option<Option<String>>,
    /// Query string of the push URL, with credentials masked. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user_args: Option<Option<String>>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventPage)]
pub struct EventPageView {
    /// The events.
    pub data: Vec<EventView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl EventView {
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
            retried: row.retried,
            actor: row.actor,
            note: row.note,
            client_ip: personal.then_some(row.client_ip),
            node_ip: personal.then_some(row.node_ip),
            source_ip: personal.then_some(row.source_ip),
            user_args: personal.then_some(row.user_args),
        }
    }
}

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
/// All events, newest first by time of recording.
#[utoipa::path(
    tag = "support",
    params(EventFilter, PageParameters),
    responses(
        (status = 200, description = "A page of events", body = EventPageView),
        CommonErrors,
    ),
)]
#[get("/v1/events")]
pub async fn list_events(
    Access { principal, .. }: Access<RequireRead>,
    state: Data<AppState>,
    Query(parameters): Query<ListEventsQuery>,
) -> Result<Json<EventPageView>, ApiError> {
    let ListEventsQuery { filter, page } = parameters;
    let rows = query::events::list_events(&state.query_pool, &principal, &filter, page.after, page.limit).await?;
    let (data, next_cursor) =
        page.page(rows, |row| (row.recorded_at, row.shard, row.position), |row| EventView::new(row, &principal));
    Ok(Json(EventPageView { data, next_cursor }))
}

/// The reason of a release.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Release)]
pub struct ReleaseBody {
    /// The operator's reason, stored as the event's `note`.
    #[schema(max_length = 500, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "the encoder's clock was wrong")]
    reason: Option<String>,
}

/// Release a quarantined event
///
/// Appends a `RELEASED` event and returns it. The callback then counts as if it had been accepted on arrival.
#[utoipa::path(
    tag = "administration",
    params(("event_id" = Uuid, Path, description = "The ID of the quarantined event")),
    request_body = Option<ReleaseBody>,
    responses(
        (status = 200, description = "The recorded `RELEASED` event", body = EventView),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[post("/v1/events/{event_id}/release")]
pub async fn release_event(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    event_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<ReleaseBody>,
) -> Result<Json<EventView>, ApiError> {
    let event_id = parse_id(&event_id, "quarantined event")?;
    if let Some(reason) = &body.reason {
        check_note("reason", reason)?;
    }
    let release = release::release(&state.work_pool, &principal.actor, event_id, body.reason, clock::now()).await?;
    state.appended.notify_one();
    Ok(Json(EventView::new(release, &principal)))
}
