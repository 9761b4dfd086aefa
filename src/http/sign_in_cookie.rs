//! The cookie of the dashboard: the token that somebody signed in with, sealed in a cookie.
//!
//! The cookie is for this service alone (`HttpOnly`, `SameSite=Strict`, over HTTPS also `Secure` and `__Host-`) and ends
//! after a while. The token is looked up at every request, so that what is revoked is out at once, and so is the sign-in,
//! which signing out ends.

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

/// Browsers take a cookie of such a name from this very host over HTTPS alone, so that no other host can set it.
const HTTPS_COOKIE: &str = "__Host-streamtally";

const BOUND_TO: &str = "dashboard";

/// How long somebody stays signed in.
const HOURS: i64 = 12;

#[derive(Serialize, Deserialize)]
struct SignedIn {
    token: String,
    sign_in: SignIn,
}

/// The cookie that somebody gets who signs in.
pub fn sign_in(request: &HttpRequest, state: &AppState, token: &str, now: DateTime<Utc>) -> Option<Cookie<'static>> {
    let sign_in = SignIn { id: Uuid::new_v4(), until: now + TimeDelta::hours(HOURS) };
    let signed_in = SignedIn { token: token.to_owned(), sign_in };
    let mut cookie = empty_cookie(request);
    cookie.set_value(state.sealer.seal(BOUND_TO, &signed_in)?);
    cookie.set_max_age(Duration::hours(HOURS));
    Some(cookie)
}

/// The cookie that takes the other away.
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

/// Whoever is signed in.
pub fn signed_in(request: &HttpRequest, state: &AppState) -> Option<Principal> {
    let cookie = request.cookie(name(external_url::is_https(request)))?;
    let SignedIn { token, sign_in } = state.sealer.open(BOUND_TO, cookie.value())?;
    state.registry.current().tokens.authenticate_sign_in(&token, sign_in, clock::now())
}
