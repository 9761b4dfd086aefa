//! The scheme and the host by which a client reached the service, also through proxies.
//!
//! A trusted proxy's word counts, else what the connection and `Host` say. Of several proxies, it is the nearest one's:
//! what is to the left of its entry, anyone can have written.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, X_FORWARDED_HOST, X_FORWARDED_PROTO};

use crate::app::client_address::said_by_proxy;

/// Whether it was HTTPS.
pub(crate) fn is_https(request: &HttpRequest) -> bool {
    match said_by_proxy(request, "proto", &X_FORWARDED_PROTO) {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => request.app_config().secure(),
    }
}

/// The host, with its port unless that is the usual one.
pub(crate) fn host(request: &HttpRequest) -> Option<&str> {
    let header = || request.headers().get(HOST)?.to_str().ok();
    said_by_proxy(request, "host", &X_FORWARDED_HOST).or_else(header)
}

/// The URL of a path.
pub(crate) fn url_of(request: &HttpRequest, path: &str) -> String {
    let scheme = if is_https(request) { "https" } else { "http" };
    let host = host(request).unwrap_or_else(|| request.app_config().host());
    format!("{scheme}://{host}{path}")
}
