//! What webhooks have sent, and what they send again.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{admin, find};
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse, PayloadErrors};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::app::state::AppState;
use crate::delivery::replay::{Replay, ReplayOf};
use crate::http::extract::{Access, Body, Query, RequireAdmin};
use crate::model::parameter::{self, Parameters};
use crate::model::webhook::{DeliveryState, WebhookEventType};
use crate::platform::clock;
use crate::query::Rows;
use crate::store;
use crate::store::webhook::WebhookRow;
use crate::store::webhook_delivery::{DeliveryRow, Place};

/// One event's delivery to a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub struct DeliveryView {
    /// ID. The receiver sees it as `webhook-id`: `evt_`, then the ID without hyphens.
    delivery_id: Uuid,
    /// The type of the event.
    event_type: WebhookEventType,
    /// The session that it is about; null if it is about none.
    #[schema(required)]
    session_id: Option<Uuid>,
    /// When the event was recorded.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: DateTime<Utc>,
    /// `delivered`; `waiting` for another attempt; or `dead` after the last one failed.
    state: DeliveryState,
    /// Whether someone asked for it to be sent again; `attempts` counts from then on.
    replayed: bool,
    /// How often it was attempted.
    #[schema(minimum = 0)]
    attempts: i32,
    /// Time of the last attempt, or of the request to send it again.
    #[schema(value_type = String, format = DateTime)]
    last_attempt_at: DateTime<Utc>,
    /// Time of the next attempt; null if there is none.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<DateTime<Utc>>,
    /// Status of the last response; null if there was none.
    #[schema(required)]
    last_status: Option<i16>,
    /// Why the last attempt failed; null if it succeeded.
    #[schema(required)]
    last_error: Option<String>,
}

impl From<DeliveryRow> for DeliveryView {
    fn from(row: DeliveryRow) -> Self {
        Self {
            delivery_id: row.delivery_id,
            event_type: row.event_type,
            session_id: row.session_id,
            recorded_at: row.recorded_at,
            state: row.state,
            replayed: row.replayed,
            attempts: row.attempts,
            last_attempt_at: row.last_attempt_at,
            next_attempt_at: row.next_attempt_at,
            last_status: row.last_status,
            last_error: row.last_error,
        }
    }
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDeliveryPage)]
pub struct DeliveryPageView {
    /// The deliveries, the last attempted first.
    data: Vec<DeliveryView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

pub struct ListDeliveriesQuery {
    state: Option<DeliveryState>,
    session_id: Option<Uuid>,
    page: PageRequest<Place>,
}

impl FromQuery for ListDeliveriesQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        Self { state: query.get("state"), session_id: query.get("session_id"), page }
    }
}

/// List the deliveries of a webhook
///
/// Events that were sent, that the receiver rejected, or that are to be sent again. Delivered ones are kept for 7 days, others for 30. While the receiver
/// is down, nothing is added: the events wait in the log.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("webhook_id" = Uuid, Path, description = "The ID of the webhook"),
        ("state" = Option<DeliveryState>, Query, description = "State of the delivery"),
        ("session_id" = Option<Uuid>, Query, description = "ID of the session"),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page of deliveries", body = DeliveryPageView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/webhooks/{webhook_id}/deliveries")]
pub async fn list_webhook_deliveries(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    webhook_id: Path<String>,
    Query(parameters): Query<ListDeliveriesQuery>,
) -> Result<Json<DeliveryPageView>, ApiError> {
    let ListDeliveriesQuery { state: delivery_state, session_id, page } = parameters;
    let WebhookRow { webhook_id, .. } = find(&state, &webhook_id).await?;
    let (before, most) = (page.after, i64::from(page.limit) + 1);
    let pool = &state.query_pool;
    let rows =
        store::webhook_delivery::list_deliveries(pool, webhook_id, delivery_state, session_id, before, most).await?;
    let rows = Rows::of(rows, page.limit);
    let (data, next_cursor) = page.page(rows, |row| (row.last_attempt_at, row.delivery_id), DeliveryView::from);
    Ok(Json(DeliveryPageView { data, next_cursor }))
}

/// What is sent again: give a period, a session, or deliveries.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookReplay)]
pub struct ReplayBody {
    /// Start of the period in which the events were recorded (inclusive).
    #[serde(default, deserialize_with = "parameter::deserialize_some")]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<DateTime<Utc>>,
    /// End of the period (exclusive).
    #[serde(default, deserialize_with = "parameter::deserialize_some")]
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<DateTime<Utc>>,
    /// A session.
    session_id: Option<Uuid>,
    /// Deliveries.
    #[schema(min_items = 1, max_items = 1000)]
    delivery_ids: Option<Vec<Uuid>>,
    /// Only what the receiver has not accepted.
    #[serde(default)]
    only_failed: bool,
    /// Only count the events.
    #[serde(default)]
    dry_run: bool,
}

impl ReplayBody {
    fn read(self) -> Result<(Replay, bool), ApiError> {
        let Self { from, to, session_id, delivery_ids, only_failed, dry_run } = self;
        if from.is_some() != to.is_some() {
            return Err(ApiError::invalid("to", "from and to must be given together"));
        }
        let what = match (from.zip(to), session_id, delivery_ids) {
            (Some((from, to)), None, None) if from < to => ReplayOf::Period { from, to },
            (Some(_), None, None) => return Err(ApiError::invalid("to", "must be later than from")),
            (None, Some(session_id), None) => ReplayOf::Session(session_id),
            (None, None, Some(ids)) if (1..=1_000).contains(&ids.len()) => ReplayOf::Deliveries(ids),
            (None, None, Some(_)) => return Err(ApiError::invalid("delivery_ids", "must name 1 to 1000 deliveries")),
            (None, None, None) | (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                return Err(ApiError::invalid("from", "give either a period, or session_id, or delivery_ids"));
            }
        };
        Ok((Replay { what, only_failed }, dry_run))
    }
}

/// What is sent again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookReplayed)]
pub struct ReplayedView {
    /// Whether the events were only counted.
    dry_run: bool,
    /// How many events are sent again.
    #[schema(minimum = 0)]
    events: usize,
}

/// Send events of a webhook again
///
/// Of the events that it has sent before, or tried to: those of a period, of a session, or single deliveries; at most 100,000.
/// They have the same `webhook-id` as before, a header `webhook-replay: true`, and are sent when nothing else is due. A relay
/// sends only failed callbacks again, while they are kept.
#[utoipa::path(
    tag = "webhooks",
    params(("webhook_id" = Uuid, Path, description = "The ID of the webhook")),
    request_body = ReplayBody,
    responses(
        (status = 200, description = "The number of events", body = ReplayedView),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[post("/v1/webhooks/{webhook_id}/replay")]
pub async fn replay_webhook(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    webhook_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<ReplayBody>,
) -> Result<Json<ReplayedView>, ApiError> {
    let webhook_id = parse_id(&webhook_id, "webhook")?;
    let (replay, dry_run) = body.read()?;
    let admin = admin(&state);
    let events = if dry_run {
        admin.count_replay(webhook_id, &replay).await?
    } else {
        admin.replay(&principal.actor, webhook_id, &replay, clock::now()).await?
    };
    Ok(Json(ReplayedView { dry_run, events }))
}
