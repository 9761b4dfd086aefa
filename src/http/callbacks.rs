//! The provider's callbacks.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Path, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse, guard, post};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::callback_metrics::{CallbackResult, count, note_remaining};
use super::callback_rejections::note_unread;
use super::content_encoding;
use super::extract::{MAX_BODY_BYTES, RawBody};
use crate::api::error_responses::CallbackErrors;
use crate::api::problem::ApiError;
use crate::api::schema::{ExpirySeconds, StartSeconds};
use crate::app::client_address::source_address;
use crate::app::connections::note_callback;
use crate::app::state::AppState;
use crate::delivery::relay;
use crate::delivery::transport::INSTALLATION_HEADER;
use crate::event_log::receive::ReceivedCallback;
use crate::huawei::admission::{self, Authentication, Verdict};
use crate::huawei::notification;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;
use crate::registry::hash_callback_token;
use crate::rejection::kept::{self, RejectedBody};

/// The response that the provider expects.
#[derive(Debug, Serialize, ToSchema)]
pub struct Confirmation {
    /// Always 1.
    #[schema(minimum = 1, maximum = 1)]
    status: u8,
    /// Always `success`.
    #[schema(example = "success")]
    result: &'static str,
}

/// The callback as the provider documents it. Only invalid signed members reject a callback.
#[derive(ToSchema)]
#[schema(as = Notification)]
#[expect(dead_code, reason = "only documents what is parsed elsewhere")]
pub struct NotificationBody {
    /// Ingest domain.
    #[schema(min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "push.example.com")]
    domain: String,
    /// App.
    #[schema(min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9_-]+$", example = "live")]
    app: String,
    /// Stream name, in any script; may contain `/` and `*`.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "example_stream")]
    stream: String,
    /// Start of the push in Unix seconds, as a string or an integer.
    #[schema(value_type = StartSeconds, example = "1587954134")]
    publish_timestamp: String,
    /// `PUBLISH` or `PUBLISH_DONE`. Other values are stored but have no effect.
    #[schema(min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "PUBLISH")]
    event: String,
    /// Query string of the push URL. Here and below, a value of another type is stored as far as possible.
    #[schema(value_type = Option<Value>)]
    user_args: Option<String>,
    /// IP address of the encoder.
    #[schema(value_type = Option<Value>)]
    client_ip: Option<String>,
    /// IP address of the receiving node.
    #[schema(value_type = Option<Value>)]
    node_ip: Option<String>,
    /// Expiry of the signature in Unix seconds, as an integer or a string; empty without a signature.
    #[schema(value_type = Option<ExpirySeconds>, example = 1_587_954_140)]
    auth_timestamp: Option<i64>,
    /// Hexadecimal HMAC-SHA256 of event, domain, app, stream and expiry; empty without a signature.
    #[schema(value_type = Option<Value>)]
    auth_sign: Option<String>,
    /// Undocumented members are stored, up to 8 KiB.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    extra: (),
}

/// Receive a callback of a signed domain
///
/// 200 means that the callback is durably stored. The body is parsed as JSON regardless of its `Content-Type`, and
/// decoded if its `Content-Encoding` is `gzip` or `deflate`. A trailing slash in the path is ignored.
#[utoipa::path(
    tag = "receiving",
    request_body(content = NotificationBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Durably stored, or already received", body = Confirmation),
        CallbackErrors,
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

/// Both paths with a trailing slash, which some consoles and proxies append. The API document describes this with the
/// paths.
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

/// Receive a callback through a domain's secret path
///
/// Required for unsigned domains. For signed domains, the signature is verified here, too.
#[utoipa::path(
    tag = "receiving",
    params(("callback_token" = String, Path, description = "The callback token: the secret in the domain's secret path", min_length = 1)),
    request_body(content = NotificationBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Durably stored, or already received", body = Confirmation),
        CallbackErrors,
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
    reject_own_relay(state, request)?;
    let source_ip = source_address(request);
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match take(state, source_ip, callback_token, content_type, &body).await? {
        Verdict::Reject(_) => Err(ApiError::NotVerified),
        Verdict::Accept(_) | Verdict::Quarantine(..) => {
            note_callback(request);
            Ok(HttpResponse::Ok().json(Confirmation { status: 1, result: "success" }))
        }
    }
}

/// Rejects a callback that this installation has relayed to itself. It would be relayed again and again.
fn reject_own_relay(state: &AppState, request: &HttpRequest) -> Result<(), ApiError> {
    let sent_by = request.headers().get(INSTALLATION_HEADER);
    if sent_by.is_some_and(|sent_by| state.transport.is_own(sent_by.as_bytes())) {
        Err(ApiError::LoopDetected)
    } else {
        Ok(())
    }
}

/// Stores a callback durably, or counts its rejection.
///
/// # Errors
/// The body is not a callback, or storage was not confirmed.
pub(crate) async fn take(
    state: &AppState,
    source_ip: Option<IpAddr>,
    callback_token: Option<&SecretString>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Verdict, ApiError> {
    let received_at = clock::now();
    let began = Instant::now();
    let registry = state.registry.current();
    let keep = |claimed_domain: Option<&str>, cause| {
        let claim = kept::claim_of(&registry, claimed_domain.unwrap_or_default().to_owned());
        state.kept_rejections.offer(RejectedBody { claim, cause, received_at, callback_token, source_ip, body })
    };
    let message = match notification::parse(body) {
        Ok(message) => message,
        Err(error) => {
            let cause = RejectionReason::from(&error.problem);
            count(CallbackResult::Rejected(cause), began);
            let is_kept = keep(error.claimed_domain.as_deref(), cause);
            let registered = error.claimed_domain.as_deref().is_some_and(|name| registry.domain(name).is_some());
            state.rejections.count_malformed(cause, &error, registered, received_at, source_ip, is_kept);
            return Err(error.problem.into());
        }
    };
    let domain = registry.domain(&message.domain);
    let path = domain.map_or(admission::CallbackRoute::Open, |domain| {
        let token = callback_token.map(|token| hash_callback_token(token.expose_secret()));
        domain.path_of(token.as_ref())
    });
    let arrival = ReceivedCallback { message, path, received_at, source_ip };
    let seal = || {
        let relays = &domain?.relays;
        let key = registry.rejection_key.as_ref().filter(|_| !relays.is_empty())?;
        Some(relay::seal_body(key, relays.clone(), &arrival.message.domain, content_type, body))
    };
    let received = state.receiver.receive(&arrival, domain, seal).await;
    let verdict = received.inspect_err(|error| count(CallbackResult::NotStored(*error), began))?;
    count(CallbackResult::from(&verdict), began);
    note_remaining(&arrival.message, &verdict, received_at);
    if let Verdict::Accept(Authentication::Verified { key_id, .. })
    | Verdict::Quarantine(Authentication::Verified { key_id, .. }, _) = &verdict
    {
        state.last_uses.note_key(*key_id, received_at);
    }
    match &verdict {
        Verdict::Accept(_) => {}
        Verdict::Quarantine(_, reason) => {
            state.alarms.quarantined(&arrival.message.domain, *reason, received_at);
        }
        Verdict::Reject(cause) => {
            let is_kept = keep(Some(&arrival.message.domain), *cause);
            let masker = &state.receiver.admitter.masker;
            state.rejections.count_rejected(&arrival, domain.is_some(), *cause, is_kept, masker);
        }
    }
    Ok(verdict)
}
