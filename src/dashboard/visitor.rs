//! The signed-in visitor.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use subtle::ConstantTimeEq;

use super::error::PageError;
use crate::access::Principal;
use crate::access::sign_in::SignIn;
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::caching::ForCaller;
use crate::http::extract::take_turn;
use crate::http::sign_in_cookie::signed_in;
use crate::model::access::Scope;
use crate::platform::clock;

const FORMS: &str = "forms of the dashboard";

/// A signed-in visitor whose token has the scope `read`.
pub struct Visitor {
    pub principal: Principal,
    pub sign_in: SignIn,
    /// Sent with each form, so that another site cannot submit a form on behalf of the visitor.
    pub form_token: String,
}

impl Visitor {
    /// # Errors
    /// The visitor lacks the scope.
    pub fn require_scope(&self, scope: Scope) -> Result<(), ApiError> {
        if self.principal.may(scope) { Ok(()) } else { Err(ApiError::Forbidden(scope)) }
    }

    /// # Errors
    /// The form token is not the visitor's.
    pub fn check_form_token(&self, form_token: &str) -> Result<(), ApiError> {
        let theirs: bool = self.form_token.as_bytes().ct_eq(form_token.as_bytes()).into();
        let mismatch = || ApiError::invalid("form_token", "is not valid: go back, reload the page, and try again");
        theirs.then_some(()).ok_or_else(mismatch)
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
    let not_signed_in = || PageError::NotSignedIn { requested: request.uri().to_string() };
    let state = request.app_data::<Data<AppState>>().ok_or_else(not_signed_in)?;
    let principal = signed_in(request, state).ok_or_else(not_signed_in)?;
    let sign_in = principal.sign_in.ok_or_else(not_signed_in)?;
    if !principal.may(Scope::Read) {
        return Err(PageError::MayNotRead);
    }
    if let Some(token_id) = principal.actor.token_id {
        state.last_uses.note(token_id, clock::now());
    }
    request.extensions_mut().insert(ForCaller::new(&principal, Scope::Read, true));
    let form_token = state.cipher.seal(FORMS, &sign_in.id).ok_or_else(not_signed_in)?;
    Ok(Visitor { principal, sign_in, form_token })
}
