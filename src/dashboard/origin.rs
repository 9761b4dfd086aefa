//! Accepts forms only from the service's own pages.
//!
//! Form tokens protect only signed-in visitors. Without this check, another site could sign a visitor in with a token that
//! it chose. Clients other than browsers send neither header; they cannot be used to misuse a browser.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse as Answer};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest};

use super::error::PageError;
use crate::http::cross_origin::removed_origin;
use crate::http::external_url;

pub async fn reject_other_origins(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    if request.method() == Method::POST && !is_from_same_origin(request.request()) {
        return Ok(request.error_response(PageError::OtherOrigin).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// Browsers send `Sec-Fetch-Site` only over HTTPS and to localhost, but `Origin` always.
fn is_from_same_origin(request: &HttpRequest) -> bool {
    if let Some(site) = request.headers().get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = removed_origin(request) else { return true };
    let asked = external_url::host(request).unwrap_or_default();
    origin.to_str().is_ok_and(|origin| is_origin_of(origin, asked))
}

/// Whether an origin has this host and port. The scheme is not compared: behind an untrusted proxy it is unknown.
fn is_origin_of(origin: &str, asked: &str) -> bool {
    let (Ok(origin), Ok(asked)) = (origin.parse::<Uri>(), asked.parse::<Authority>()) else { return false };
    let default_port = match origin.scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        // For instance `null`.
        _ => return false,
    };
    let port = |given: Option<u16>| given.unwrap_or(default_port);
    origin.host().is_some_and(|host| host.eq_ignore_ascii_case(asked.host()))
        && port(origin.port_u16()) == port(asked.port_u16())
}
