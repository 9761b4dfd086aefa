//! What handlers are given: who asks, and the body of the request.

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

/// The longest body that is read.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY: Duration = Duration::from_secs(10);

/// How long a request waits for others with its token: as long as for a connection to the database.
const TURN: Duration = Duration::from_secs(3);

/// A scope that an operation asks for.
pub trait Needs {
    /// The scope.
    const SCOPE: Scope;
    /// Whether answers show personal data to those who may see them.
    const PERSONAL: bool = true;
}

/// Asks for the scope `read`.
pub struct Read;
impl Needs for Read {
    const SCOPE: Scope = Scope::Read;
}

/// Asks for the scope `read`, and shows nothing personal to anyone.
pub struct ReadImpersonal;
impl Needs for ReadImpersonal {
    const SCOPE: Scope = Scope::Read;
    const PERSONAL: bool = false;
}

/// Asks for the scope `billing`.
pub struct Billing;
impl Needs for Billing {
    const SCOPE: Scope = Scope::Billing;
    const PERSONAL: bool = false;
}

/// Asks for the scope `admin`.
pub struct Admin;
impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// Whoever asks, known to have a scope. 401 without a valid token, 403 without the scope.
///
/// First among a handler's arguments, so that nobody learns anything else before.
pub struct Access<N> {
    /// Who asks.
    pub principal: Principal,
    scope: PhantomData<N>,
}

impl<N: Needs> FromRequest for Access<N> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let principal = authenticate(&request)?;
            if !principal.may(N::SCOPE) {
                return Err(ApiError::Forbidden(N::SCOPE));
            }
            take_turn(&request, &principal).await?;
            request.extensions_mut().insert(ForCaller::new(&principal, N::SCOPE, N::PERSONAL));
            Ok(Self { principal, scope: PhantomData })
        })
    }
}

/// Waits until the caller's token has fewer than its limit of requests under way, of which this one is one until its answer
/// begins.
///
/// # Errors
/// When that takes too long.
pub(crate) async fn take_turn(request: &HttpRequest, principal: &Principal) -> Result<(), ApiError> {
    if let Some(state) = request.app_data::<Data<AppState>>() {
        let share = state.requests.take_within(TURN, principal).await?;
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
        state.last_uses.note(token_id, now);
    }
    Ok(principal)
}

/// A body of at most [`MAX_BODY_BYTES`], else 413.
pub struct RawBody(pub Bytes);

impl FromRequest for RawBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut payload = payload.take();
        let request = request.clone();
        Box::pin(async move {
            let reading = read_body(&mut payload, end_of_body(&request));
            let body = timeout(BODY, reading).await.unwrap_or(Err(ApiError::TooSlow));
            if body.is_err() {
                leave_unread(&request, payload);
            }
            body.map(Self)
        })
    }
}

/// The token that a caller shows.
fn bearer_token(request: &HttpRequest) -> Option<String> {
    let authorization = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
}

/// Whoever is signed in to the dashboard, for what its pages read: they cannot show a header. Only where a request shows
/// none, and changes nothing.
fn signed_in(request: &HttpRequest, state: &AppState) -> Option<Principal> {
    let shows_none = !request.headers().contains_key(header::AUTHORIZATION);
    if shows_none && request.method() == Method::GET { sign_in_cookie::signed_in(request, state) } else { None }
}

/// Where a body ends at the latest. The server finds the end by itself, except for a request that offers an upgrade to
/// WebSocket: it takes all that follows on the connection for the body, whatever `Content-Length` says.
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
            other => ApiError::invalid("body", format!("cannot be read: {other}")),
        })?;
        chunk.truncate(end - body.len());
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ApiError::TooLarge(MAX_BODY_BYTES));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// A JSON body, read strictly: an unknown member is refused and named. An empty body is an empty object.
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

/// Extracts parameters, or answers 400.
pub struct Query<T>(pub T);

impl<T: FromQuery> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(state) = request.app_data::<Data<AppState>>() else {
            return ready(Err(ApiError::NotFound("path")));
        };
        let mut reader = QueryReader::new(request.path(), request.query_string(), state.sealer.clone());
        let parameters = T::from_query(&mut reader);
        ready(reader.finish().map(|()| Self(parameters)))
    }
}
