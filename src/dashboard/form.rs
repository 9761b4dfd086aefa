//! What forms send: whose they are, and what stands in them.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use maud::{Markup, html};

use super::error::PageError;
use super::visitor::Visitor;
use crate::api::problem::ApiError;
use crate::http::extract::RawBody;
use crate::model::access::Scope;

/// What stands in the fields of a form, whoever sent it.
pub struct Fields(Vec<(String, String)>);

/// A form that a visitor sent from one of their pages.
pub struct Posted {
    /// Who sent it.
    pub visitor: Visitor,
    fields: Fields,
}

impl Fields {
    /// What stands in a field, without blanks around it; `None` when that is nothing.
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

impl Posted {
    /// Refuses who does not have a scope.
    ///
    /// # Errors
    /// When the visitor does not.
    pub fn demand(&self, scope: Scope) -> Result<(), ApiError> {
        self.visitor.demand(scope)
    }

    /// What stands in a field, without blanks around it; `None` when that is nothing.
    pub fn text(&self, name: &str) -> Option<String> {
        self.fields.text(name)
    }

    /// What stands in each of the fields of this name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.fields.all(name)
    }

    /// The words of a field, as people list them: with commas or blanks between them.
    pub fn words(&self, name: &str) -> Vec<String> {
        let texts = self.all(name);
        let words = texts.iter().flat_map(|text| text.split([',', ' ', '\n', '\r', '\t']));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// Whether a box is ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// Refuses what nobody has confirmed.
    ///
    /// # Errors
    /// When its box is not ticked.
    pub fn demand_confirmation(&self) -> Result<(), ApiError> {
        let confirmed = self.is_ticked("confirmed");
        confirmed.then_some(()).ok_or_else(|| ApiError::invalid("confirmed", "must be ticked: nothing was done"))
    }

    /// Every field, as members of a request to the API.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = |name: &str| name == FORM_TOKEN;
        self.fields.0.iter().filter(move |(name, _)| !own(name)).map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

const FORM_TOKEN: &str = "form_token";

impl FromRequest for Posted {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = Visitor::from_request(request, payload);
        let fields = Fields::from_request(request, payload);
        Box::pin(async move {
            let visitor = visitor.await?;
            let posted = Self { visitor, fields: fields.await? };
            posted.visitor.check(&posted.text(FORM_TOKEN).unwrap_or_default())?;
            Ok(posted)
        })
    }
}

/// A form of this visitor, which is sent to a path.
pub fn form(visitor: &Visitor, class: &str, path: &str, fields: &Markup) -> Markup {
    html! {
        form class=(class) method="post" action=(path) {
            input type="hidden" name=(FORM_TOKEN) value=(visitor.form_token);
            (fields)
        }
    }
}

/// The box that is to be ticked before something is done that matters.
pub fn confirmation(what: &str) -> Markup {
    html! { label.tick { input type="checkbox" name="confirmed" value="yes" required; " " (what) } }
}
