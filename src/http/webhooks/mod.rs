//! `/v1/webhooks`: creates, lists, changes, tests and deletes webhooks.
//!
//! - [`settings`]: what callers send and see of a webhook.
//! - [`deliveries`]: what a webhook has sent, and what it sends again.
//! - [`document`]: what webhooks send, for the API document.

pub mod deliveries;
pub mod document;
pub mod settings;

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post, put};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, Body, Query, RequireAdmin};
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse, PayloadErrors};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::app::state::AppState;
use crate::delivery;
use crate::delivery::admin::{BeginAt, WebhookAdmin};
use crate::delivery::answer::Answer;
use crate::delivery::lag::{self, WebhookStatus};
use crate::delivery::test::TestError;
use crate::delivery::transport::{Attempt, Received};
use crate::platform::clock;
use crate::store;
use crate::store::webhook::WebhookRow;
use settings::{CreatedWebhook, WebhookBody, WebhookPageView, WebhookView};

/// How long the secret before a replacement signs, too, unless the caller says otherwise: 24 hours.
const OVERLAP_SECONDS: i64 = 24 * 60 * 60;
pub struct ListWebhooksQuery {
    page: PageRequest<(DateTime<Utc>, Uuid)>,
}

impl FromQuery for ListWebhooksQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

fn admin(state: &AppState) -> WebhookAdmin<'_> {
    WebhookAdmin { pool: &state.work_pool, master_keys: state.registry.master_keys(), transport: &state.transport }
}

/// List webhooks
///
/// All webhooks, oldest first, without their secrets.
#[utoipa::path(
    tag = "webhooks",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of webhooks", body = WebhookPageView),
        CommonErrors,
    ),
)]
#[get("/v1/webhooks")]
pub async fn list_webhooks(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    Query(parameters): Query<ListWebhooksQuery>,
) -> Result<Json<WebhookPageView>, ApiError> {
    let statuses = lag::list_statuses(&state.work_pool).await?;
    let place = |status: &WebhookStatus| (status.row.created_at, status.row.webhook_id);
    let (data, next_cursor) = parameters.page.page_of_whole(statuses, place, WebhookView::from);
    Ok(Json(WebhookPageView { data, next_cursor }))
}

/// Create a webhook
///
/// Only this response contains its secret. Events are sent from now on, unless `begin_at` says otherwise.
#[utoipa::path(
    tag = "webhooks",
    request_body = WebhookBody,
    responses(
        (status = 201, description = "Created", body = CreatedWebhook),
        CommonErrors,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[post("/v1/webhooks")]
pub async fn create_webhook(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    _: Query<NoParameters>,
    Body(body): Body<WebhookBody>,
) -> Result<HttpResponse, ApiError> {
    let (settings, begin_at) = body.read(BeginAt::Now)?;
    if begin_at == BeginAt::Last {
        return Err(ApiError::invalid("begin_at", "must be now or a time: nothing was sent before"));
    }
    let (row, secret) = admin(&state).create(&principal.actor, settings, begin_at, clock::now()).await?;
    state.registry.refresh_after_change().await;
    let webhook = WebhookStatus { row, oldest_unsent_at: None }.into();
    let created = CreatedWebhook { secret: secret.expose_secret().to_owned(), webhook };
    Ok(HttpResponse::Created().json(created))
}

/// Get a webhook
///
/// Without its secret and its further headers.
#[utoipa::path(
    tag = "webhooks",
    params(("webhook_id" = Uuid, Path, description = "The ID of the webhook")),
    responses(
        (status = 200, description = "The webhook", body = WebhookView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/webhooks/{webhook_id}")]
pub async fn get_webhook(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    webhook_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<Json<WebhookView>, ApiError> {
    Ok(Json(get_status(&state, parse_id(&webhook_id, "webhook")?).await?.into()))
}

/// Change a webhook
///
/// Replaces its settings; omitted members take their defaults, `headers` stay. Attempts that failed are repeated at once.
#[utoipa::path(
    tag = "webhooks",
    params(("webhook_id" = Uuid, Path, description = "The ID of the webhook")),
    request_body = WebhookBody,
    responses(
        (status = 200, description = "Changed", body = WebhookView),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[put("/v1/webhooks/{webhook_id}")]
pub async fn put_webhook(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    webhook_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<WebhookBody>,
) -> Result<Json<WebhookView>, ApiError> {
    let webhook_id = parse_id(&webhook_id, "webhook")?;
    let (settings, begin_at) = body.read(BeginAt::Last)?;
    admin(&state).change(&principal.actor, webhook_id, settings, begin_at, clock::now()).await?;
    state.registry.refresh_after_change().await;
    Ok(Json(get_status(&state, webhook_id).await?.into()))
}

/// Delete a webhook
///
/// Events that were not sent are never sent.
#[utoipa::path(
    tag = "webhooks",
    params(("webhook_id" = Uuid, Path, description = "The ID of the webhook")),
    responses(
        (status = 204, description = "Deleted"),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[delete("/v1/webhooks/{webhook_id}")]
pub async fn delete_webhook(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    webhook_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let webhook_id = parse_id(&webhook_id, "webhook")?;
    admin(&state).remove(&principal.actor, webhook_id, clock::now()).await?;
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::NoContent().finish())
}

/// How the secret is replaced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretReplacement)]
pub struct ReplaceSecretBody {
    /// For how many seconds the secret before signs, too.
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    #[serde(default = "overlap_seconds")]
    overlap_seconds: i64,
}

fn overlap_seconds() -> i64 {
    OVERLAP_SECONDS
}

/// A replaced secret.
#[derive(Serialize, ToSchema)]
pub struct ReplacedSecret {
    /// The new secret. Shown only once.
    secret: String,
}

/// Replace the secret of a webhook
///
/// Both secrets sign for the overlap, so that the receiver can change to the new one without losing an event.
#[utoipa::path(
    tag = "webhooks",
    params(("webhook_id" = Uuid, Path, description = "The ID of the webhook")),
    request_body = Option<ReplaceSecretBody>,
    responses(
        (status = 200, description = "Replaced", body = ReplacedSecret),
        CommonErrors,
        NotFoundResponse,
        PayloadErrors,
    ),
)]
#[post("/v1/webhooks/{webhook_id}/secret")]
pub async fn replace_webhook_secret(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    webhook_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<ReplaceSecretBody>,
) -> Result<Json<ReplacedSecret>, ApiError> {
    let webhook_id = parse_id(&webhook_id, "webhook")?;
    let overlap = TimeDelta::try_seconds(body.overlap_seconds).unwrap_or(TimeDelta::MAX);
    let secret = admin(&state).replace_secret(&principal.actor, webhook_id, overlap, clock::now()).await?;
    Ok(Json(ReplacedSecret { secret: secret.expose_secret().to_owned() }))
}

/// The result of a test.
#[derive(Serialize, ToSchema)]
pub struct WebhookTestResult {
    /// Whether the receiver accepted the event.
    delivered: bool,
    /// Status of its response; null if there was none.
    #[schema(required)]
    status: Option<u16>,
    /// The beginning of its response.
    #[schema(required)]
    response: Option<String>,
    /// Why there was no response; null if there was one.
    #[schema(required)]
    error: Option<String>,
    /// How long it took, in milliseconds.
    #[schema(minimum = 0)]
    milliseconds: u64,
}

/// Test a webhook
///
/// Sends the event `webhook.test` once, also to a disabled webhook, and returns what the receiver answered.
#[utoipa::path(
    tag = "webhooks",
    params(("webhook_id" = Uuid, Path, description = "The ID of the webhook")),
    responses(
        (status = 200, description = "The result of the test", body = WebhookTestResult),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
    ),
)]
#[post("/v1/webhooks/{webhook_id}/test")]
pub async fn test_webhook(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    webhook_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<Json<WebhookTestResult>, ApiError> {
    let row = find(&state, &webhook_id).await?;
    let keys = state.registry.master_keys();
    match delivery::test::test_webhook(&state.work_pool, keys, &state.transport, row, clock::now()).await {
        Ok(attempt) => Ok(Json(attempt.into())),
        Err(TestError::Settings(error)) => Err(ApiError::Conflict(error.to_string())),
        Err(TestError::Database(error)) => Err(error.into()),
    }
}

impl From<Attempt> for WebhookTestResult {
    fn from(Attempt { took, result }: Attempt) -> Self {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (delivered, status, response, error) = match result {
            Ok(Received { answer, status, text }) => (answer == Answer::Accepted, Some(status), Some(text), None),
            Err(error) => (false, None, None, Some(error.to_string())),
        };
        Self { delivered, status, response, error, milliseconds }
    }
}

impl WebhookTestResult {
    pub fn delivered(&self) -> bool {
        self.delivered
    }
}

async fn get_status(state: &AppState, webhook_id: Uuid) -> Result<WebhookStatus, ApiError> {
    let statuses = lag::list_statuses(&state.work_pool).await?;
    statuses.into_iter().find(|status| status.row.webhook_id == webhook_id).ok_or(ApiError::NotFound("webhook"))
}

async fn find(state: &AppState, webhook_id: &str) -> Result<WebhookRow, ApiError> {
    let webhook_id = parse_id(webhook_id, "webhook")?;
    let rows = store::webhook::list_webhooks(&state.work_pool).await?;
    rows.into_iter().find(|row| row.webhook_id == webhook_id).ok_or(ApiError::NotFound("webhook"))
}
