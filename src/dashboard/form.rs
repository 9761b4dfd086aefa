//! Submitted forms: the visitor and the fields.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use maud::{Markup, html};

use super::error::PageError;
use super::visitor::{self, Scoped, Visitor};
use crate::api::problem::ApiError;
use crate::http::extract::{RawBody, RequireAdmin, RequireBilling, RequiredScope};

/// The fields of a form whose sender is not authenticated.
pub struct Fields(Vec<(String, String)>);

/// A form that a signed-in visitor of any scope submitted, with a valid form token.
pub struct SubmittedForm {
    pub visitor: Visitor,
    fields: Fields,
}

/// A form that a visitor with the scope submitted.
pub type BillingForm = Scoped<SubmittedForm, RequireBilling>;
pub type AdminForm = Scoped<SubmittedForm, RequireAdmin>;

impl Fields {
    /// The trimmed value of a field; `None` if empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    fn all(&self, name: &str) -> Vec<String> {
        let fields = self.0.iter().filter(|(field, _)| field == name);
        fields.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
    }
}

impl FromRequest for Fields {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = RawBody::from_request(request, payload);
        Box::pin(async move {
            let RawBody(body) = body.await?;
            Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
        })
    }
}

impl AsRef<Visitor> for SubmittedForm {
    fn as_ref(&self) -> &Visitor {
        &self.visitor
    }
}

impl SubmittedForm {
    /// The trimmed value of a field; `None` if empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.fields.text(name)
    }

    /// The values of all fields of this name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.fields.all(name)
    }

    /// The words of a field, separated by commas or white space.
    pub fn words(&self, name: &str) -> Vec<String> {
        let texts = self.all(name);
        let words = texts.iter().flat_map(|text| text.split([',', ' ', '\n', '\r', '\t']));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    pub fn is_checked(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// # Errors
    /// The confirmation box is not checked.
    pub fn require_confirmation(&self) -> Result<(), ApiError> {
        let confirmed = self.is_checked("confirmed");
        confirmed.then_some(()).ok_or_else(|| ApiError::invalid("confirmed", "must be checked: nothing was changed"))
    }

    /// All fields, as members of an API request.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = |name: &str| name == FORM_TOKEN;
        self.fields.0.iter().filter(move |(name, _)| !own(name)).map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

const FORM_TOKEN: &str = "form_token";

impl FromRequest for SubmittedForm {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = visitor::find_of_any_scope(request.clone());
        let fields = Fields::from_request(request, payload);
        Box::pin(async move {
            let visitor = visitor.await?;
            let submitted = Self { visitor, fields: fields.await? };
            submitted.visitor.check_form_token(&submitted.text(FORM_TOKEN).unwrap_or_default())?;
            Ok(submitted)
        })
    }
}

impl<S: RequiredScope> FromRequest for Scoped<SubmittedForm, S> {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let submitted = SubmittedForm::from_request(request, payload);
        Box::pin(async move { Ok(Self::new(submitted.await?)?) })
    }
}

/// A form with the visitor's form token.
pub fn form(visitor: &Visitor, class: &str, path: &str, fields: &Markup) -> Markup {
    html! {
        form class=(class) method="post" action=(path) {
            input type="hidden" name=(FORM_TOKEN) value=(visitor.form_token);
            (fields)
        }
    }
}

/// A checkbox that must be checked before the form is submitted.
pub fn confirmation(what: &str) -> Markup {
    html! { label.tick { input type="checkbox" name="confirmed" value="yes" required; " " (what) } }
}
