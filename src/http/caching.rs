//! `Cache-Control` and `ETag`.
//!
//! The caller's access decides whether a response may be cached (`ForCaller`); the default is not to cache (see
//! `security_headers`). A [`Tagged`] response is 304 if the caller already has it.

use actix_web::body::BoxBody;
use actix_web::http::header::{ETag, EntityTag, HeaderValue, IfNoneMatch};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, Responder, ResponseError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use crate::access::Principal;
use crate::api::problem::ApiError;
use crate::model::access::Scope;

pub(crate) const NO_COPY: HeaderValue = HeaderValue::from_static("no-store");

/// The caller may cache the response, but must revalidate it.
const OWN_COPY: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Stored in the request once the caller is authenticated.
#[derive(Clone)]
pub(crate) struct ForCaller {
    /// `Cache-Control` of a successful response.
    pub keeping: HeaderValue,
    /// What the caller may see.
    sees: Value,
}

impl ForCaller {
    /// The rule: administrative responses and responses with personal data must not be cached.
    pub fn new(principal: &Principal, scope: Scope, may_show_personal: bool) -> Self {
        let personal = principal.may(Scope::Personal);
        let secret = scope == Scope::Admin || may_show_personal && personal;
        let sees = json!([principal.visible_domains(), personal]);
        Self { keeping: if secret { NO_COPY } else { OWN_COPY }, sees }
    }
}

/// A JSON response with an `ETag`. If the caller sends the tag in `If-None-Match`, the response is 304 without a body.
pub struct Tagged<T>(pub T);

impl<T: Serialize> Responder for Tagged<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let content = match serde_json::to_value(&self.0) {
            Ok(content) => content,
            Err(error) => return ApiError::Internal(error.into()).error_response(),
        };
        let tag = tag_of(content, request.extensions().get::<ForCaller>());
        let known = match request.get_header::<IfNoneMatch>() {
            Some(IfNoneMatch::Any) => true,
            Some(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
            None => false,
        };
        if known {
            return HttpResponse::NotModified().insert_header(ETag(tag)).finish();
        }
        HttpResponse::Ok().insert_header(ETag(tag)).json(&self.0)
    }
}

/// A weak tag of the content, the version, and what the caller may see. Omits `as_of` and the text of the cursor.
fn tag_of(mut content: Value, caller: Option<&ForCaller>) -> EntityTag {
    if let Value::Object(members) = &mut content {
        members.remove("as_of");
        if let Some(cursor) = members.get_mut("next_cursor") {
            *cursor = cursor.is_string().into();
        }
    }
    let whole = json!([env!("CARGO_PKG_VERSION"), caller.map(|caller| &caller.sees), content]);
    let digest = Sha256::digest(whole.to_string().as_bytes());
    EntityTag::new_weak(URL_SAFE_NO_PAD.encode(digest))
}

/// The header for polling.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only documents what `Tagged` reads")]
pub struct PollParameters {
    /// The `ETag` of a previous response. If only `as_of` would differ, the response is 304.
    #[param(rename = "If-None-Match", value_type = String, required = false)]
    if_none_match: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(domains: &[&str]) -> ForCaller {
        ForCaller { keeping: NO_COPY, sees: json!([domains, false]) }
    }

    #[test]
    fn a_tag_is_of_the_content_and_of_what_the_caller_sees() {
        let tag = |content: Value, domains: &[&str]| tag_of(content, Some(&caller(domains))).tag().to_owned();
        let page = |as_of: &str, row: i64, cursor: Option<&str>| json!({ "data": [{ "live_sessions": row, "as_of": "of a row" }], "next_cursor": cursor, "as_of": as_of });
        let first = tag(page("a", 1, Some("x")), &["a"]);
        assert_eq!(first, tag(page("b", 1, Some("y")), &["a"]));
        assert_ne!(first, tag(page("a", 2, Some("x")), &["a"]));
        assert_ne!(first, tag(page("a", 1, None), &["a"]));
        assert_ne!(first, tag(page("a", 1, Some("x")), &["a", "b"]));
    }
}
