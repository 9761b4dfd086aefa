//! The scheme and host that the client used, even behind proxies.
//!
//! They come from a trusted proxy, otherwise from the connection and `Host`. Of several proxies, only the entry of the nearest
//! counts: anyone can forge the entries to its left.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, X_FORWARDED_HOST, X_FORWARDED_PROTO};

use crate::app::client_address::said_by_proxy;

pub(crate) fn is_https(request: &HttpRequest) -> bool {
    match said_by_proxy(request, "proto", &X_FORWARDED_PROTO) {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => request.app_config().secure(),
    }
}

/// The host, with its port unless it is the default.
pub(crate) fn host(request: &HttpRequest) -> Option<&str> {
    let header = || request.headers().get(HOST)?.to_str().ok();
    said_by_proxy(request, "host", &X_FORWARDED_HOST).or_else(header)
}

pub(crate) fn url_of(request: &HttpRequest, path: &str) -> String {
    let scheme = if is_https(request) { "https" } else { "http" };
    let host = host(request).unwrap_or_else(|| request.app_config().host());
    format!("{scheme}://{host}{path}")
}
