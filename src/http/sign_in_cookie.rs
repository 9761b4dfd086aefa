//! The cookie of the dashboard: holds the encrypted token of the signed-in visitor.
//!
//! Only this service receives the cookie (`HttpOnly`, `SameSite=Strict`, over HTTPS also `Secure` and `__Host-`). It expires.
//! Every request checks the token and the sign-in, so that revocation and sign-out take effect immediately.
//!
//! A wall display has nobody to sign in again. Its sign-in is renewed whenever it loads its page; therefore it is for
//! this page only, and for tokens that can only read.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::external_url;
use crate::access::Principal;
use crate::access::sign_in::SignIn;
use crate::api::KIOSK;
use crate::app::state::AppState;
use crate::platform::clock;

const COOKIE: &str = "streamtally";

/// Browsers accept a cookie with this prefix only over HTTPS and from this host, so that no other host can set it.
const HTTPS_COOKIE: &str = "__Host-streamtally";

const BOUND_TO: &str = "dashboard";

/// What the sign-in of a wall display may request: its page, what the script of the page requests, and sign-out.
const KIOSK_PATHS: [&str; 4] = [KIOSK, "/v1/live", "/v1/live/changes", "/dashboard/sign-out"];

/// The sign-in of a wall display is renewed once its lifetime has shortened by this much.
const RENEWAL_INTERVAL: TimeDelta = TimeDelta::days(1);

/// What a sign-in is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum SignInKind {
    #[default]
    Visit,
    Kiosk,
}

#[derive(Serialize, Deserialize)]
struct SignedIn {
    token: String,
    sign_in: SignIn,
    #[serde(default)]
    kind: SignInKind,
}

impl SignInKind {
    /// Browsers keep a cookie for 400 days at most.
    fn lifetime(self) -> TimeDelta {
        match self {
            Self::Visit => TimeDelta::hours(12),
            Self::Kiosk => TimeDelta::days(400),
        }
    }

    fn admits(self, path: &str) -> bool {
        match self {
            Self::Visit => true,
            Self::Kiosk => KIOSK_PATHS.contains(&path),
        }
    }
}

/// Signs the holder of a token in, who is led to the page `to`.
pub fn sign_in(
    request: &HttpRequest,
    state: &AppState,
    (principal, token): (&Principal, &str),
    to: &str,
    now: DateTime<Utc>,
) -> Option<Cookie<'static>> {
    let to_kiosk = to.split('?').next() == Some(KIOSK);
    let kind = if to_kiosk && principal.can_only_read() { SignInKind::Kiosk } else { SignInKind::Visit };
    let sign_in = SignIn { id: Uuid::new_v4(), until: now + kind.lifetime() };
    seal(request, state, &SignedIn { token: token.to_owned(), sign_in, kind })
}

/// Extends the sign-in of a wall display; `None` for others, and for those that were extended recently.
pub fn renew(request: &HttpRequest, state: &AppState, now: DateTime<Utc>) -> Option<Cookie<'static>> {
    let mut signed_in = open(request, state).filter(|signed_in| signed_in.kind == SignInKind::Kiosk)?;
    let until = now + signed_in.kind.lifetime();
    if until - signed_in.sign_in.until < RENEWAL_INTERVAL {
        return None;
    }
    signed_in.sign_in.until = until;
    seal(request, state, &signed_in)
}

fn seal(request: &HttpRequest, state: &AppState, signed_in: &SignedIn) -> Option<Cookie<'static>> {
    let mut cookie = empty_cookie(request);
    cookie.set_value(state.cipher.seal(BOUND_TO, signed_in)?);
    cookie.set_max_age(Duration::seconds(signed_in.kind.lifetime().num_seconds()));
    Some(cookie)
}

fn open(request: &HttpRequest, state: &AppState) -> Option<SignedIn> {
    let cookie = request.cookie(name(external_url::is_https(request)))?;
    state.cipher.open(BOUND_TO, cookie.value())
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
    let SignedIn { token, sign_in, kind } = open(request, state)?;
    if !kind.admits(request.path()) {
        return None;
    }
    state.registry.current().tokens.authenticate_sign_in(&token, sign_in, clock::now())
}
