//! Security headers of every response: no content sniffing, no framing, no resources from other hosts, no caching.
//!
//! Only the responses that the server sends before a request is parsed (400, 408) lack them; they have no body.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse as Answer};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

use super::caching::{ForCaller, NO_COPY};
use super::external_url;
use crate::api;

const ALWAYS: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// For responses of the API, which load nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Swagger UI runs its own scripts, calls the API, and has icons in its stylesheet.
const OWN_PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The dashboard has its own style and script, and submits forms to itself.
const DASHBOARD: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// With `no-referrer`, browsers would send forms with `Origin: null`, which are rejected.
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

type Policies = [(HeaderName, HeaderValue); 2];

fn policies_of(path: &str) -> Policies {
    let (content, referrer) = if path.starts_with("/docs/") {
        (OWN_PAGE, NO_REFERRER)
    } else if path == api::DASHBOARD || path.starts_with("/dashboard/") {
        (DASHBOARD, SAME_ORIGIN)
    } else {
        (NOTHING, NO_REFERRER)
    };
    [(CONTENT_SECURITY_POLICY, content), (REFERRER_POLICY, referrer)]
}

/// One year.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the headers to a response. Responses outside `/docs/` must not be cached unless the handler sets `Cache-Control`, or
/// the response succeeds and its caller may cache it.
pub(crate) async fn add_security_headers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let is_page = request.path().starts_with("/docs/");
    let policies = policies_of(request.path());
    let policies_of_error = policies.clone();
    let is_https = external_url::is_https(request.request());
    let mut answer = match next.call(request).await {
        Ok(answer) => answer,
        Err(mut error) => {
            error.add_response_mapper(move |mut response| {
                add_to(response.headers_mut(), policies_of_error.clone(), is_page, is_https, NO_COPY);
                response
            });
            return Err(error);
        }
    };
    let succeeds = answer.status().is_success() || answer.status() == StatusCode::NOT_MODIFIED;
    let caller = answer.request().extensions().get::<ForCaller>().filter(|_| succeeds).cloned();
    add_to(answer.headers_mut(), policies, is_page, is_https, caller.map_or(NO_COPY, |caller| caller.keeping));
    Ok(answer)
}

fn add_to(headers: &mut HeaderMap, policies: Policies, is_page: bool, is_https: bool, keeping: HeaderValue) {
    for (name, value) in ALWAYS.into_iter().chain(policies) {
        headers.insert(name, value);
    }
    if is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if !is_page && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, keeping);
    }
}
