//! Forms are taken from the service's own pages alone.
//!
//! Form tokens hold that only for visitors who are signed in: without this, another site could sign somebody in with a
//! token of its own choice. Clients other than browsers send neither header, and are no way to misuse somebody's browser.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse as Answer};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError};

use super::error::PageError;
use crate::http::cross_origin::origin_beyond;
use crate::http::external_url;

/// Refuses forms of other origins.
pub async fn refuse_other_origins(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    if request.method() == Method::POST && !is_from_same_origin(request.request()) {
        return Ok(request.into_response(PageError::OtherOrigin.error_response()).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// Browsers send `Sec-Fetch-Site` over HTTPS and to their own machine alone, `Origin` everywhere.
fn is_from_same_origin(request: &HttpRequest) -> bool {
    if let Some(site) = request.headers().get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = origin_beyond(request) else { return true };
    let asked = external_url::host(request).unwrap_or_default();
    origin.to_str().is_ok_and(|origin| is_origin_of(origin, asked))
}

/// Whether an origin has this host and port. Its scheme is left out: a proxy that is not trusted does not say what it is.
fn is_origin_of(origin: &str, asked: &str) -> bool {
    let (Ok(origin), Ok(asked)) = (origin.parse::<Uri>(), asked.parse::<Authority>()) else { return false };
    let usual_port = match origin.scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        // `null` among others.
        _ => return false,
    };
    let port = |given: Option<u16>| given.unwrap_or(usual_port);
    origin.host().is_some_and(|host| host.eq_ignore_ascii_case(asked.host()))
        && port(origin.port_u16()) == port(asked.port_u16())
}
