//! CORS: pages of the configured origins may call the API from a browser.
//!
//! Pages send tokens in a header, so CORS never allows credentials such as cookies. Callbacks, health and metrics are not
//! open to pages of other origins.

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

/// Allows every origin.
pub const ANY: &str = "*";

/// How long browsers may cache a preflight response, in seconds.
const PREFLIGHT_MAX_AGE: usize = 3600;

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];

pub(crate) fn allow(origins: &[String]) -> Cors {
    let last_event_id = HeaderName::from_static("last-event-id");
    let allowed_headers = [AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, last_event_id, REQUEST_ID];
    let cors = Cors::default()
        .allowed_methods(METHODS)
        .allowed_headers(allowed_headers)
        .expose_headers([ETAG, RETRY_AFTER, REQUEST_ID])
        .max_age(PREFLIGHT_MAX_AGE);
    if origins.iter().any(|origin| origin == ANY) {
        return cors.allow_any_origin().send_wildcard();
    }
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// The origin of a request to a path without CORS.
struct RemovedOrigin(HeaderValue);

/// The `Origin` header of a request to a path without CORS.
pub(crate) fn removed_origin(request: &HttpRequest) -> Option<HeaderValue> {
    request.extensions().get::<RemovedOrigin>().map(|RemovedOrigin(origin)| origin.clone())
}

/// Wraps CORS: hides the origin of requests outside the API, and turns errors of preflights into problems.
pub(crate) async fn cors_for_api_only(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    if !(request.path().starts_with("/v1/") || request.path() == "/openapi.json") {
        let origin = request.headers_mut().remove(ORIGIN).next();
        if let Some(origin) = origin {
            request.extensions_mut().insert(RemovedOrigin(origin));
        }
        request.headers_mut().remove(ACCESS_CONTROL_REQUEST_METHOD);
    }
    let answer = next.call(request).await?;
    let problem = answer.response().error().and_then(|error| error.as_error::<CorsError>()).map(problem_of);
    Ok(match problem {
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
