//! What a form shows: the values of its fields, and what is wrong with them.
//!
//! A form that cannot be accepted is shown again with what was typed and with the errors next to their fields.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{Markup, html};

use super::error::PageError;
use super::form::SubmittedForm;
use super::texts::Language;
use crate::api::problem::ApiError;
use crate::model::closed_set;

/// Fields whose values are never shown again.
const SECRETS: [&str; 3] = ["key", "callback_path", "secret_key"];

#[derive(Default)]
pub struct Draft {
    values: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The name of the field.
    field: &'static str,
    message: String,
}

closed_set! {
    /// The members of requests to change something that forms have as fields.
    pub enum Member {
        Domain,
        Key,
        Apps,
        RenditionTemplates,
        CloseUnconfirmedAfter,
        Name,
        Scopes,
        Domains,
        ExpiresAt,
        Url,
        Kind,
        Endpoint,
        ProjectId,
        AccessKey,
        SecretKey,
        ProviderAccount,
    }
}

impl FieldError {
    pub fn new(field: &'static str, message: String) -> Self {
        Self { field, message }
    }

    /// The error of a field.
    ///
    /// # Errors
    /// It is not the error of a field.
    pub fn of(error: ApiError, text: Language) -> Result<Self, PageError> {
        let ApiError::Invalid(invalid) = &error else { return Err(error.into()) };
        let Some(member) = invalid.first().and_then(|invalid| invalid.name.parse::<Member>().ok()) else {
            return Err(error.into());
        };
        let message = match member {
            Member::Domain => text.setup_domain_invalid(),
            Member::Key => text.setup_key_invalid(),
            Member::Apps => text.setup_apps_invalid(),
            Member::RenditionTemplates => text.setup_templates_invalid(),
            Member::CloseUnconfirmedAfter => text.setup_close_invalid(),
            Member::Name => text.setup_token_name_invalid(),
            Member::Scopes => text.setup_scopes_invalid(),
            Member::Domains => text.setup_token_domains_invalid(),
            Member::ExpiresAt => text.setup_expiry_invalid(),
            Member::Url => text.webhooks_url_invalid(),
            Member::Kind => text.webhooks_kind_invalid(),
            Member::Endpoint => text.providers_endpoint_invalid(),
            Member::ProjectId => text.providers_project_invalid(),
            Member::AccessKey => text.providers_access_key_invalid(),
            Member::SecretKey => text.providers_secret_key_invalid(),
            Member::ProviderAccount => text.providers_invalid(),
        };
        Ok(Self::new(member.as_str(), message))
    }
}

impl Draft {
    pub fn of_values(values: Vec<(&str, String)>) -> Self {
        Self { values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), errors: Vec::new() }
    }

    /// What was typed, except secrets, and what is wrong with it.
    pub fn typed(submitted: &SubmittedForm, errors: impl IntoIterator<Item = FieldError>) -> Self {
        let typed = submitted.members().filter(|(name, _)| !SECRETS.contains(name));
        let values = typed.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Self { values: values.collect(), errors: errors.into_iter().collect() }
    }

    /// For a form that knows its values by itself.
    pub fn of_error(error: FieldError) -> Self {
        Self { values: Vec::new(), errors: vec![error] }
    }

    pub fn value(&self, field: &str) -> &str {
        self.values.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value)
    }

    /// Whether a field has the value, among others.
    pub fn has(&self, field: &str, value: &str) -> bool {
        self.values.iter().any(|(name, given)| name == field && given == value)
    }

    pub fn is_rejected(&self) -> bool {
        !self.errors.is_empty()
    }

    fn error_of(&self, field: &str) -> Option<&FieldError> {
        self.errors.iter().find(|error| error.field == field)
    }

    /// Whether the field is wrong, for `aria-invalid`.
    pub fn invalid(&self, field: &str) -> Option<&'static str> {
        self.error_of(field).map(|_| "true")
    }

    /// The id of the field's error, for `aria-describedby`. Only one form of a page is rejected at a time.
    pub fn described_by(&self, field: &str) -> Option<String> {
        self.error_of(field).map(|error| format!("{}-error", error.field))
    }

    /// The error of a field, to show next to it.
    pub fn error(&self, field: &str) -> Markup {
        html! {
            @if let Some(error) = self.error_of(field) {
                span.field-error id=[self.described_by(field)] role="alert" { (error.message) }
            }
        }
    }

    /// The answer with this form: an error if something is wrong.
    pub fn answer(&self, mut page: HttpResponse) -> HttpResponse {
        if self.is_rejected() {
            *page.status_mut() = StatusCode::BAD_REQUEST;
        }
        page
    }
}
