//! The signed-in visitor.

use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use subtle::ConstantTimeEq;

use super::error::PageError;
use super::problems::badge;
use super::view::View;
use crate::access::Principal;
use crate::access::sign_in::SignIn;
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::caching::ForCaller;
use crate::http::extract::{RequireAdmin, RequireBilling, RequireRead, RequiredScope, take_turn};
use crate::http::sign_in_cookie::signed_in;
use crate::model::access::Scope;
use crate::model::filter::SessionFilter;
use crate::platform::clock;
use crate::query::{self, Rows};
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;

const FORMS: &str = "forms of the dashboard";

/// A signed-in visitor. As an argument of a handler, its token has the scope `read`.
#[derive(Clone)]
pub struct Visitor {
    pub principal: Principal,
    pub sign_in: SignIn,
    pub view: View,
    /// The requested path and query.
    pub path: String,
    /// How many problems the visitor may see; shown in the navigation.
    pub problems: u32,
    /// Sent with each form, so that another site cannot submit a form on behalf of the visitor.
    pub form_token: String,
}

/// A visitor, or a form that one submitted, whose token has the scope `S`, and perhaps no other.
pub struct Scoped<T, S>(pub T, PhantomData<S>);

pub type BillingVisitor = Scoped<Visitor, RequireBilling>;
pub type AdminVisitor = Scoped<Visitor, RequireAdmin>;

impl<T: AsRef<Visitor>, S: RequiredScope> Scoped<T, S> {
    /// # Errors
    /// The visitor lacks the scope.
    pub fn new(scoped: T) -> Result<Self, ApiError> {
        let may = S::is_held_by(&scoped.as_ref().principal);
        if may { Ok(Self(scoped, PhantomData)) } else { Err(ApiError::Forbidden(S::SCOPE)) }
    }
}

impl AsRef<Self> for Visitor {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<T, S> Deref for Scoped<T, S> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Visitor {
    /// A page of the sessions that match and that the visitor may see.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list_sessions(
        &self,
        state: &AppState,
        filter: &SessionFilter,
        page: SessionPage,
    ) -> Result<Rows<SessionRow>, sqlx::Error> {
        let pool = &state.query_pool;
        let unconfirmed_after = state.unconfirmed_after;
        let list = query::sessions::list_sessions(pool, &self.principal, unconfirmed_after, filter, page, false);
        Ok(list.await?.page)
    }

    /// # Errors
    /// The form token is not the visitor's.
    pub fn check_form_token(&self, form_token: &str) -> Result<(), ApiError> {
        let theirs: bool = self.form_token.as_bytes().ct_eq(form_token.as_bytes()).into();
        let mismatch = || ApiError::invalid("form_token", "is not valid: go back, reload the page, and try again");
        theirs.then_some(()).ok_or_else(mismatch)
    }
}

type Extraction<T> = Pin<Box<dyn Future<Output = Result<T, PageError>>>>;

impl FromRequest for Visitor {
    type Error = PageError;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let reader = Scoped::<Self, RequireRead>::from_request(request, payload);
        Box::pin(async move { Ok(reader.await?.0) })
    }
}

impl<S: RequiredScope> FromRequest for Scoped<Visitor, S> {
    type Error = PageError;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visitor = find_of_any_scope(request.clone());
        Box::pin(async move { Ok(Self::new(visitor.await?)?) })
    }
}

/// # Errors
/// Nobody is signed in, or too many requests of the token are in progress.
pub async fn find_of_any_scope(request: HttpRequest) -> Result<Visitor, PageError> {
    let mut visitor = find(&request)?;
    take_turn(&request, &visitor.principal).await?;
    if let Some(state) = request.app_data::<Data<AppState>>().filter(|_| visitor.principal.may(Scope::Read)) {
        visitor.problems = badge::count(state, &visitor.principal).await;
    }
    // For error pages.
    request.extensions_mut().insert(visitor.clone());
    Ok(visitor)
}

/// # Errors
/// Nobody is signed in.
pub fn find(request: &HttpRequest) -> Result<Visitor, PageError> {
    let path = request.uri().to_string();
    let not_signed_in = || PageError::NotSignedIn { requested: path.clone() };
    let state = request.app_data::<Data<AppState>>().ok_or_else(not_signed_in)?;
    let principal = signed_in(request, state).ok_or_else(not_signed_in)?;
    let sign_in = principal.sign_in.ok_or_else(not_signed_in)?;
    if let Some(token_id) = principal.actor.token_id {
        state.last_uses.note_token(token_id, clock::now());
    }
    request.extensions_mut().insert(ForCaller::new(&principal, Scope::Read, true));
    let form_token = state.cipher.seal(FORMS, &sign_in.id).ok_or_else(not_signed_in)?;
    Ok(Visitor { principal, sign_in, view: View::of(request), path, problems: 0, form_token })
}
