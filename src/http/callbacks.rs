//! Receiving: the provider's callbacks.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::web::{Data, Path, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse, guard, post};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::callback_meters::{Outcome, count, note_remaining};
use super::callback_rejections::note_unread;
use super::content_encoding;
use super::extract::{MAX_BODY_BYTES, RawBody};
use crate::api::error_responses::CallbackRefusals;
use crate::api::problem::ApiError;
use crate::api::schema::{ExpirySeconds, StartSeconds};
use crate::app::client_address::source_address;
use crate::app::connections::note_callback;
use crate::app::state::AppState;
use crate::event_log::receive::ReceivedCallback;
use crate::huawei::admission::{self, Verdict};
use crate::huawei::notification;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;

/// What the provider takes for a confirmation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Confirmation {
    /// Always 1.
    #[schema(minimum = 1, maximum = 1)]
    status: u8,
    /// Always `success`.
    #[schema(example = "success")]
    result: &'static str,
}

/// The notification as the provider documents it. What is signed is read strictly; nothing else rejects a callback.
#[derive(ToSchema)]
#[schema(as = Notification)]
#[expect(dead_code, reason = "only documents what is parsed elsewhere")]
pub struct NotificationBody {
    /// Ingest domain.
    #[schema(min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "push.example.com")]
    domain: String,
    /// Application.
    #[schema(min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9_-]+$", example = "live")]
    app: String,
    /// Stream name, of any script; `/` and `*` included.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "example_stream")]
    stream: String,
    /// Unix seconds at which the push began, as a string or a whole number.
    #[schema(value_type = StartSeconds, example = "1587954134")]
    publish_timestamp: String,
    /// `PUBLISH` or `PUBLISH_DONE`; other words are kept and change nothing.
    #[schema(min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "PUBLISH")]
    event: String,
    /// Query string of the push URL. A value of any other type is kept as far as it can be read, here and below.
    #[schema(value_type = Option<Value>)]
    user_args: Option<String>,
    /// The encoder's address.
    #[schema(value_type = Option<Value>)]
    client_ip: Option<String>,
    /// The receiving node's address.
    #[schema(value_type = Option<Value>)]
    node_ip: Option<String>,
    /// Unix second at which the signature expires, as a whole number or a string; empty without a signature.
    #[schema(value_type = Option<ExpirySeconds>, example = 1_587_954_140)]
    auth_timestamp: Option<i64>,
    /// Hexadecimal HMAC-SHA256 of event, domain, app, stream and expiry; empty without a signature.
    #[schema(value_type = Option<Value>)]
    auth_sign: Option<String>,
    /// Members that are not documented are kept, 8 KiB of them at most.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    extra: (),
}

/// Receive a notification of a signed domain
///
/// The answer 200 means that the message is durably stored. The body is read as JSON whatever its type is said to be, and
/// decoded if its `Content-Encoding` is `gzip` or `deflate`. A slash at the end of the path changes nothing.
#[utoipa::path(
    tag = "receiving",
    request_body(content = NotificationBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Durably stored, or received before", body = Confirmation),
        CallbackRefusals,
    ),
    security(()),
)]
#[post("/callbacks/huawei")]
pub async fn receive_notification(
    state: Data<AppState>,
    request: HttpRequest,
    body: Result<RawBody, ApiError>,
) -> Result<HttpResponse, ApiError> {
    receive(&state, &request, None, body).await
}

/// Both paths with a slash at the end, which consoles and proxies append. Not in the document: it says so of the paths.
pub fn routes_with_a_slash(config: &mut ServiceConfig) -> &mut ServiceConfig {
    let open = |state: Data<AppState>, request: HttpRequest, body: Result<RawBody, ApiError>| async move {
        receive(&state, &request, None, body).await
    };
    let secret = |state: Data<AppState>, request: HttpRequest, token: Path<String>, body: Result<RawBody, ApiError>| async move {
        receive(&state, &request, Some(&token.into_inner().into()), body).await
    };
    config
        .service(resource("/callbacks/huawei/").guard(guard::Post()).to(open))
        .service(resource("/callbacks/huawei/{callback_token}/").guard(guard::Post()).to(secret))
}

/// Receive a notification through a domain's secret path
///
/// The only way in for unsigned domains; messages of signed domains are verified here too.
#[utoipa::path(
    tag = "receiving",
    params(("callback_token" = String, Path, description = "The secret part of the domain's callback path", min_length = 1)),
    request_body(content = NotificationBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Durably stored, or received before", body = Confirmation),
        CallbackRefusals,
    ),
    security(()),
)]
#[post("/callbacks/huawei/{callback_token}")]
pub async fn receive_notification_by_secret_path(
    state: Data<AppState>,
    request: HttpRequest,
    callback_token: Path<String>,
    body: Result<RawBody, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let callback_token = SecretString::from(callback_token.into_inner());
    receive(&state, &request, Some(&callback_token), body).await
}

async fn receive(
    state: &AppState,
    request: &HttpRequest,
    callback_token: Option<&SecretString>,
    body: Result<RawBody, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let body = body.and_then(|RawBody(body)| content_encoding::decode(request.headers(), body, MAX_BODY_BYTES));
    let body = body.inspect_err(|error| note_unread(state, request, error))?;
    let source_ip = source_address(request);
    match take(state, source_ip, callback_token, &body).await? {
        Verdict::Refuse(_) => Err(ApiError::NotVerified),
        Verdict::Accept(_) | Verdict::Quarantine(..) => {
            note_callback(request);
            Ok(HttpResponse::Ok().json(Confirmation { status: 1, result: "success" }))
        }
    }
}

/// What becomes of a message: what is kept of it is durable, and what is refused is counted.
///
/// # Errors
/// When it is no notification, and when it is to be kept and is not known to be stored.
pub(crate) async fn take(
    state: &AppState,
    source_ip: Option<IpAddr>,
    callback_token: Option<&SecretString>,
    body: &[u8],
) -> Result<Verdict, ApiError> {
    let (received_at, began) = (clock::now(), Instant::now());
    let registry = state.registry.current();
    let message = match notification::parse(body) {
        Ok(message) => message,
        Err(error) => {
            let cause = RejectionReason::from(&error.problem);
            count(Outcome::Rejected(cause), began);
            let registered = error.claimed_domain.as_deref().is_some_and(|name| registry.domain(name).is_some());
            state.rejections.count_malformed(cause, &error, registered, received_at, source_ip);
            return Err(error.problem.into());
        }
    };
    let domain = registry.domain(&message.domain);
    let path = domain.map_or(admission::CallbackRoute::Open, |domain| {
        domain.path_of(callback_token.map(ExposeSecret::expose_secret))
    });
    let arrival = ReceivedCallback { message, path, received_at, source_ip };
    let policy = domain.map(|domain| &domain.policy);
    let templates = domain.map(|domain| domain.rendition_templates.as_slice()).unwrap_or_default();
    let received = state.receiver.receive(&arrival, policy, templates).await;
    let verdict = received.inspect_err(|error| count(Outcome::NotStored(*error), began))?;
    count(Outcome::from(&verdict), began);
    note_remaining(&arrival.message, &verdict, received_at);
    match &verdict {
        Verdict::Accept(_) => {}
        Verdict::Quarantine(_, reason) => {
            state.alarms.quarantined(&arrival.message.domain, *reason, received_at);
        }
        Verdict::Refuse(cause) => {
            state.rejections.count_refused(&arrival, domain.is_some(), *cause, &state.receiver.masker);
        }
    }
    Ok(verdict)
}
