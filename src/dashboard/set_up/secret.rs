//! A new secret on its way to the page that shows it.
//!
//! A form that makes a secret redirects to a page, so that a reload makes no other. In between, the browser holds the secret
//! in an encrypted cookie that no script reads: for ten minutes, for one page and one sign-in. After that, no page shows it.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::error::PageError;
use super::super::visitor::Visitor;
use super::super::{layout, links};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::external_url;
use crate::platform::clock;

const COOKIE: &str = "streamtally-secret";
const BOUND_TO: &str = "new secrets of the dashboard";
const MINUTES: i64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretKind {
    Key,
    CallbackUrl,
    Token,
    Webhook,
}

#[derive(Serialize, Deserialize)]
struct NewSecret {
    kind: SecretKind,
    secret: String,
    /// The path of the page.
    page: String,
    sign_in: Uuid,
    until: DateTime<Utc>,
}

/// Redirects to the page that shows a secret.
///
/// # Errors
/// The secret cannot be encrypted.
pub fn redirect_with(
    state: &AppState,
    request: &HttpRequest,
    visitor: &Visitor,
    page: &str,
    (kind, secret): (SecretKind, &SecretString),
) -> Result<HttpResponse, PageError> {
    let new = NewSecret {
        kind,
        secret: secret.expose_secret().to_owned(),
        page: page.to_owned(),
        sign_in: visitor.sign_in.id,
        until: clock::now() + TimeDelta::minutes(MINUTES),
    };
    let sealed = state.cipher.seal(BOUND_TO, &new);
    let sealed = sealed.ok_or_else(|| ApiError::Internal("a new secret cannot be encrypted".into()))?;
    let cookie = Cookie::build(COOKIE, sealed)
        .path(links::set_up())
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(external_url::is_https(request))
        .max_age(Duration::minutes(MINUTES));
    let mut answer = layout::redirect_to(page);
    // Cannot fail: the value has only letters, digits, `-` and `_`.
    let _ = answer.add_cookie(&cookie.finish());
    Ok(answer)
}

/// The secret that the requested page shows, if it was made a short time ago.
pub fn find(state: &AppState, request: &HttpRequest, visitor: &Visitor) -> Option<(SecretKind, SecretString)> {
    let cookie = request.cookie(COOKIE)?;
    let new: NewSecret = state.cipher.open(BOUND_TO, cookie.value())?;
    let is_of_page = new.page == request.path() && new.sign_in == visitor.sign_in.id && clock::now() < new.until;
    is_of_page.then(|| (new.kind, new.secret.into()))
}
