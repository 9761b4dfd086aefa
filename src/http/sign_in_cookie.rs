//! The cookie of the dashboard: holds the encrypted token of the signed-in visitor.
//!
//! Only this service receives the cookie (`HttpOnly`, `SameSite=Strict`, over HTTPS also `Secure` and `__Host-`). It expires.
//! Every request checks the token and the sign-in, so that revocation and sign-out take effect immediately.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::external_url;
use crate::access::Principal;
use crate::access::sign_in::SignIn;
use crate::app::state::AppState;
use crate::platform::clock;

const COOKIE: &str = "streamtally";

/// Browsers accept a cookie with this prefix only over HTTPS and from this host, so that no other host can set it.
const HTTPS_COOKIE: &str = "__Host-streamtally";

const BOUND_TO: &str = "dashboard";

/// Lifetime of a sign-in.
const HOURS: i64 = 12;

#[derive(Serialize, Deserialize)]
struct SignedIn {
    token: String,
    sign_in: SignIn,
}

pub fn sign_in(request: &HttpRequest, state: &AppState, token: &str, now: DateTime<Utc>) -> Option<Cookie<'static>> {
    let sign_in = SignIn { id: Uuid::new_v4(), until: now + TimeDelta::hours(HOURS) };
    let signed_in = SignedIn { token: token.to_owned(), sign_in };
    let mut cookie = empty_cookie(request);
    cookie.set_value(state.cipher.seal(BOUND_TO, &signed_in)?);
    cookie.set_max_age(Duration::hours(HOURS));
    Some(cookie)
}

/// A cookie that makes the browser delete the sign-in cookie.
pub fn sign_out(request: &HttpRequest) -> Cookie<'static> {
    let mut cookie = empty_cookie(request);
    cookie.make_removal();
    cookie
}

fn empty_cookie(request: &HttpRequest) -> Cookie<'static> {
    let secure = external_url::is_https(request);
    Cookie::build(name(secure), "").path("/").http_only(true).same_site(SameSite::Strict).secure(secure).finish()
}

fn name(secure: bool) -> &'static str {
    if secure { HTTPS_COOKIE } else { COOKIE }
}

pub fn signed_in(request: &HttpRequest, state: &AppState) -> Option<Principal> {
    let cookie = request.cookie(name(external_url::is_https(request)))?;
    let SignedIn { token, sign_in } = state.cipher.open(BOUND_TO, cookie.value())?;
    state.registry.current().tokens.authenticate_sign_in(&token, sign_in, clock::now())
}
