//! Who looks: the token that somebody signed in with, sealed in a cookie.
//!
//! The cookie is for this service alone (`HttpOnly`, `SameSite=Strict`) and ends after a while. The token is looked up at
//! every request, so that what is revoked is out at once.

use crate::model::access::Scope;
use std::pin::Pin;

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::error::PageError;
use crate::access::Principal;
use crate::clock;
use crate::http::caching::ForCaller;
use crate::http::extract::take_turn;
use crate::http::problem::ApiError;
use crate::http::state::AppState;

const COOKIE: &str = "streamtally";
const BOUND_TO: &str = "dashboard";
const FORMS: &str = "forms of the dashboard";

/// How long somebody stays signed in.
const HOURS: i64 = 12;

#[derive(Serialize, Deserialize)]
struct SignedIn {
    token: String,
    until: DateTime<Utc>,
}

/// Whoever is signed in, and may read.
pub struct Visitor {
    /// Who it is.
    pub principal: Principal,
    /// What their forms carry, so that nobody else's are taken for theirs.
    pub form_token: String,
}

/// The cookie that somebody gets who signs in.
pub fn sign_in(state: &AppState, token: &str, now: DateTime<Utc>, secure: bool) -> Option<Cookie<'static>> {
    let signed_in = SignedIn { token: token.to_owned(), until: now + TimeDelta::hours(HOURS) };
    let mut cookie = empty_cookie(secure);
    cookie.set_value(state.sealer.seal(BOUND_TO, &signed_in)?);
    cookie.set_max_age(Duration::hours(HOURS));
    Some(cookie)
}

/// The cookie that takes the other away.
pub fn sign_out(secure: bool) -> Cookie<'static> {
    let mut cookie = empty_cookie(secure);
    cookie.make_removal();
    cookie
}

fn empty_cookie(secure: bool) -> Cookie<'static> {
    Cookie::build(COOKIE, "").path("/").http_only(true).same_site(SameSite::Strict).secure(secure).finish()
}

/// The token of whoever is signed in.
pub fn token_of_cookie(request: &HttpRequest, state: &AppState) -> Option<String> {
    let cookie = request.cookie(COOKIE)?;
    let signed_in: SignedIn = state.sealer.open(BOUND_TO, cookie.value())?;
    (clock::now() < signed_in.until).then_some(signed_in.token)
}

impl Visitor {
    /// Refuses who does not have a scope.
    ///
    /// # Errors
    /// When the visitor does not.
    pub fn demand(&self, scope: Scope) -> Result<(), ApiError> {
        if self.principal.may(scope) { Ok(()) } else { Err(ApiError::Forbidden(scope)) }
    }

    /// Refuses a form that is not theirs.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, form_token: &str) -> Result<(), ApiError> {
        let theirs: bool = self.form_token.as_bytes().ct_eq(form_token.as_bytes()).into();
        let refusal = || ApiError::invalid("form_token", "is not of this page: go back, reload it, and try again");
        theirs.then_some(()).ok_or_else(refusal)
    }
}

impl FromRequest for Visitor {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let visitor = find(&request)?;
            take_turn(&request, &visitor.principal).await?;
            Ok(visitor)
        })
    }
}

fn find(request: &HttpRequest) -> Result<Visitor, PageError> {
    let not_signed_in = || PageError::NotSignedIn { wanted: request.uri().to_string() };
    let state = request.app_data::<Data<AppState>>().ok_or_else(not_signed_in)?;
    let token = token_of_cookie(request, state).ok_or_else(not_signed_in)?;
    let principal = state.registry.current().tokens.authenticate(&token, clock::now()).ok_or_else(not_signed_in)?;
    if !principal.may(Scope::Read) {
        return Err(PageError::MayNotRead);
    }
    if let Some(token_id) = principal.actor.token_id {
        state.last_uses.note(token_id, clock::now());
    }
    request.extensions_mut().insert(ForCaller::new(&principal, Scope::Read, true));
    let form_token = state.sealer.seal(FORMS, &token).ok_or_else(not_signed_in)?;
    Ok(Visitor { principal, form_token })
}
