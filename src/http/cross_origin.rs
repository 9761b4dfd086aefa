//! Which pages of other origins may ask the query API from within a browser (CORS): those that the settings name.
//!
//! Tokens are shown in a header that pages set themselves, so credentials that browsers add by themselves are never
//! asked for. Receiving, and what only machines ask, is for no page.

use actix_cors::{Cors, CorsError};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse as Answer};
use actix_web::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, ORIGIN,
    RETRY_AFTER,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError};

use super::trace::REQUEST_ID;
use crate::api::problem::ApiError;

/// For every origin.
pub const ANY: &str = "*";

/// For how many seconds a browser may go by what it was told.
const REMEMBERED: usize = 3600;

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];

/// Tells browsers that pages of these origins may ask.
pub(crate) fn allow(origins: &[String]) -> Cors {
    let last_event_id = HeaderName::from_static("last-event-id");
    let sent = [AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, last_event_id, REQUEST_ID];
    let cors = Cors::default()
        .allowed_methods(METHODS)
        .allowed_headers(sent)
        .expose_headers([ETAG, RETRY_AFTER, REQUEST_ID])
        .max_age(REMEMBERED);
    if origins.iter().any(|origin| origin == ANY) {
        return cors.allow_any_origin().send_wildcard();
    }
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// The origin of a request beyond the query API.
struct OriginBeyond(HeaderValue);

/// The origin of the page that sends a request beyond the query API, as far as its browser says.
pub(crate) fn origin_beyond(request: &HttpRequest) -> Option<HeaderValue> {
    request.extensions().get::<OriginBeyond>().map(|OriginBeyond(origin)| origin.clone())
}

/// Around that: beyond the query API CORS sees no request's origin, and what is wrong with a preflight is said in the shape
/// of a problem.
pub(crate) async fn confine(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    if !(request.path().starts_with("/v1/") || request.path() == "/openapi.json") {
        let origin = request.headers_mut().remove(ORIGIN).next();
        if let Some(origin) = origin {
            request.extensions_mut().insert(OriginBeyond(origin));
        }
        request.headers_mut().remove(ACCESS_CONTROL_REQUEST_METHOD);
    }
    let answer = next.call(request).await?;
    let refusal = answer.response().error().and_then(|error| error.as_error::<CorsError>()).map(problem_of);
    Ok(match refusal {
        Some(problem) => answer.into_response(problem.error_response()).map_into_right_body(),
        None => answer.map_into_left_body(),
    })
}

fn problem_of(error: &CorsError) -> ApiError {
    let header = match error {
        CorsError::MissingRequestMethod | CorsError::BadRequestMethod | CorsError::MethodNotAllowed => {
            "Access-Control-Request-Method"
        }
        CorsError::BadRequestHeaders | CorsError::HeadersNotAllowed => "Access-Control-Request-Headers",
        _ => "Origin",
    };
    ApiError::invalid(header, error.to_string())
}
