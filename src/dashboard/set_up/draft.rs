//! What a form shows: the values of its fields, and what is wrong with one of them.
//!
//! A form that cannot be accepted is shown again with what was typed and with the error next to its field.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{Markup, html};

use super::super::error::PageError;
use super::super::form::SubmittedForm;
use super::super::texts::Language;
use crate::api::problem::ApiError;

/// Fields whose values are never shown again.
const SECRETS: [&str; 2] = ["key", "callback_path"];

#[derive(Default)]
pub struct Draft {
    values: Vec<(String, String)>,
    error: Option<FieldError>,
}

#[derive(Debug)]
pub struct FieldError {
    /// The name of the field.
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: &str, message: String) -> Self {
        Self { field: field.to_owned(), message }
    }

    /// The error of a field.
    ///
    /// # Errors
    /// It is not the error of a field.
    pub fn of(error: ApiError, text: Language) -> Result<Self, PageError> {
        let ApiError::Invalid(invalid) = &error else { return Err(error.into()) };
        let name = invalid.first().map(|invalid| invalid.name.as_str());
        let message = match name {
            Some("domain") => text.setup_domain_invalid(),
            Some("key") => text.setup_key_invalid(),
            Some("apps") => text.setup_apps_invalid(),
            Some("rendition_templates") => text.setup_templates_invalid(),
            Some("name") => text.setup_token_name_invalid(),
            Some("scopes") => text.setup_scopes_invalid(),
            Some("domains") => text.setup_token_domains_invalid(),
            Some("expires_at") => text.setup_expiry_invalid(),
            _ => return Err(error.into()),
        };
        Ok(Self { field: name.unwrap_or_default().to_owned(), message })
    }
}

impl Draft {
    pub fn of_values(values: Vec<(&str, String)>) -> Self {
        Self { values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), error: None }
    }

    /// What was typed, except secrets.
    pub fn rejected(submitted: &SubmittedForm, error: FieldError) -> Self {
        let typed = submitted.members().filter(|(name, _)| !SECRETS.contains(name));
        let values = typed.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Self { values: values.collect(), error: Some(error) }
    }

    pub fn value(&self, field: &str) -> &str {
        self.values.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value)
    }

    /// Whether a field has the value, among others.
    pub fn has(&self, field: &str, value: &str) -> bool {
        self.values.iter().any(|(name, given)| name == field && given == value)
    }

    pub fn is_rejected(&self) -> bool {
        self.error.is_some()
    }

    /// Whether the field is wrong, for `aria-invalid`.
    pub fn invalid(&self, field: &str) -> Option<&'static str> {
        self.error.as_ref().filter(|error| error.field == field).map(|_| "true")
    }

    /// The error of a field, to show below it.
    pub fn error(&self, field: &str) -> Markup {
        let error = self.error.as_ref().filter(|error| error.field == field);
        html! { @if let Some(error) = error { p.field-error role="alert" { (error.message) } } }
    }

    /// The answer with this form: an error if something is wrong.
    pub fn answer(&self, mut page: HttpResponse) -> HttpResponse {
        if self.is_rejected() {
            *page.status_mut() = StatusCode::BAD_REQUEST;
        }
        page
    }
}
