//! Extractors: the authenticated caller, bodies, and parameters.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, header};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::caching::ForCaller;
use super::sign_in_cookie;
use crate::access::Principal;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::connections::leave_unread;
use crate::app::state::AppState;
use crate::model::access::Scope;
use crate::platform::clock;

pub const MAX_BODY_BYTES: usize = 64 * 1024;

const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request waits for other requests of its token: as long as for a database connection.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(3);

/// A scope that an operation requires.
pub trait RequiredScope {
    const SCOPE: Scope;
    /// Whether responses show personal data to callers who may see it.
    const PERSONAL: bool = true;

    fn is_held_by(principal: &Principal) -> bool {
        principal.may(Self::SCOPE)
    }
}

/// Requires the scope `read`.
pub struct RequireRead;
impl RequiredScope for RequireRead {
    const SCOPE: Scope = Scope::Read;
}

/// Requires the scope `read`; responses never contain personal data.
pub struct RequireReadImpersonal;
impl RequiredScope for RequireReadImpersonal {
    const SCOPE: Scope = Scope::Read;
    const PERSONAL: bool = false;
}

/// Requires the scope `billing`.
pub struct RequireBilling;
impl RequiredScope for RequireBilling {
    const SCOPE: Scope = Scope::Billing;
    const PERSONAL: bool = false;
}

/// Requires the scope `read` or `billing`; responses never contain personal data.
pub struct RequireReadOrBilling;
impl RequiredScope for RequireReadOrBilling {
    const SCOPE: Scope = Scope::Read;
    const PERSONAL: bool = false;

    fn is_held_by(principal: &Principal) -> bool {
        principal.may(Scope::Read) || principal.may(Scope::Billing)
    }
}

/// Requires the scope `admin`.
pub struct RequireAdmin;
impl RequiredScope for RequireAdmin {
    const SCOPE: Scope = Scope::Admin;
}

/// The authenticated caller. 401 without a valid token, 403 without the scope.
///
/// Must be the first argument of a handler, so that other errors reveal nothing to unauthenticated callers.
pub struct Access<S> {
    pub principal: Principal,
    scope: PhantomData<S>,
}

impl<S: RequiredScope> FromRequest for Access<S> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let principal = authenticate(&request)?;
            if !S::is_held_by(&principal) {
                return Err(ApiError::Forbidden(S::SCOPE));
            }
            take_turn(&request, &principal).await?;
            request.extensions_mut().insert(ForCaller::new(&principal, S::SCOPE, S::PERSONAL));
            Ok(Self { principal, scope: PhantomData })
        })
    }
}

/// Waits until the token has fewer concurrent requests than its limit. This request counts until its response starts.
///
/// # Errors
/// Timeout.
pub(crate) async fn take_turn(request: &HttpRequest, principal: &Principal) -> Result<(), ApiError> {
    if let Some(state) = request.app_data::<Data<AppState>>() {
        let share = state.requests.take_within(QUEUE_TIMEOUT, principal).await?;
        request.extensions_mut().insert(share);
    }
    Ok(())
}

fn authenticate(request: &HttpRequest) -> Result<Principal, ApiError> {
    let state = request.app_data::<Data<AppState>>().ok_or(ApiError::Unauthenticated)?;
    let now = clock::now();
    let principal = match bearer_token(request) {
        Some(token) => state.registry.current().tokens.authenticate(token.trim(), now),
        None => signed_in(request, state),
    }
    .ok_or(ApiError::Unauthenticated)?;
    if let Some(token_id) = principal.actor.token_id {
        state.last_uses.note_token(token_id, now);
    }
    Ok(principal)
}

/// A body of at most [`MAX_BODY_BYTES`], otherwise 413.
pub struct RawBody(pub Bytes);

impl FromRequest for RawBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut payload = payload.take();
        let request = request.clone();
        Box::pin(async move {
            let reading = read_body(&mut payload, end_of_body(&request));
            let body = timeout(BODY_TIMEOUT, reading).await.unwrap_or(Err(ApiError::TooSlow));
            if body.is_err() {
                leave_unread(&request, payload);
            }
            body.map(Self)
        })
    }
}

fn bearer_token(request: &HttpRequest) -> Option<String> {
    let authorization = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
}

/// The visitor of the dashboard, whose pages cannot send a header. Only for GET, and only without `Authorization`.
fn signed_in(request: &HttpRequest, state: &AppState) -> Option<Principal> {
    let no_header = !request.headers().contains_key(header::AUTHORIZATION);
    if no_header && request.method() == Method::GET { sign_in_cookie::signed_in(request, state) } else { None }
}

/// The maximum length of the body. The server itself finds the end of a body, except if a request offers an upgrade to
/// WebSocket: then it treats all further data of the connection as the body, regardless of `Content-Length`.
fn end_of_body(request: &HttpRequest) -> usize {
    let headers = request.headers();
    let offers_websocket = headers.get_all(header::UPGRADE).any(|value| text(value).eq_ignore_ascii_case("websocket"));
    if !offers_websocket || headers.contains_key(header::TRANSFER_ENCODING) {
        return usize::MAX;
    }
    headers.get(header::CONTENT_LENGTH).and_then(|value| text(value).parse().ok()).unwrap_or(0)
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default().trim()
}

async fn read_body(payload: &mut Payload, end: usize) -> Result<Bytes, ApiError> {
    let mut body = BytesMut::new();
    while body.len() < end
        && let Some(chunk) = payload.next().await
    {
        let mut chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => ApiError::TooLarge(MAX_BODY_BYTES),
            other => ApiError::invalid("body", format!("is not readable: {other}")),
        })?;
        chunk.truncate(end - body.len());
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ApiError::TooLarge(MAX_BODY_BYTES));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// A JSON body. Unknown members are rejected. An empty body is an empty object.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = RawBody::from_request(request, payload);
        Box::pin(async move {
            let RawBody(body) = body.await?;
            let json: &[u8] = if body.is_empty() { b"{}" } else { &body };
            let mut deserializer = serde_json::Deserializer::from_slice(json);
            let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
                let path = error.path().to_string();
                let name = if path == "." || path == "?" { "body".to_owned() } else { path };
                ApiError::invalid(name, error.into_inner().to_string())
            })?;
            deserializer.end().map_err(|error| ApiError::invalid("body", error.to_string()))?;
            Ok(Self(value))
        })
    }
}

/// Query parameters, otherwise 400.
pub struct Query<T>(pub T);

impl<T: FromQuery> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(state) = request.app_data::<Data<AppState>>() else {
            return ready(Err(ApiError::NotFound("path")));
        };
        let mut reader = QueryReader::new(request.path(), request.query_string(), state.cipher.clone());
        let parameters = T::from_query(&mut reader);
        ready(reader.reject_unknown().map(|()| Self(parameters)))
    }
}
