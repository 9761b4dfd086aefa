//! Schemas of the API document that no Rust type derives.
#![allow(missing_docs, dead_code, reason = "only documents the API")]

use utoipa::openapi::schema::{KnownFormat, Object, OneOf, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::query_reader;
use crate::model::webhook::WebhookEventType;

/// The name of an app.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9_-]+$", example = "live")]
pub struct AppName(String);

/// The name of a transcoding template.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "lud")]
pub struct TemplateName(String);

/// The name of an ingest domain of a token.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "push.example.com")]
pub struct DomainName(String);

/// The name of a registered ingest domain, exactly as the provider sends it. At most 255 bytes.
#[derive(ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 255,
    pattern = r"^[^\s/\x00-\x1f\x7f-\x9f\ufffd]+$",
    example = "push.example.com"
)]
pub struct RegisteredName(String);

/// A domain or an app whose events a webhook sends.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "live")]
pub struct SelectedName(String);

/// A type of events that a webhook can be set to send.
pub struct SentEventType;

impl ToSchema for SentEventType {}

impl PartialSchema for SentEventType {
    fn schema() -> RefOr<Schema> {
        let sent = WebhookEventType::ALL.iter().filter(|event_type| event_type.can_be_chosen());
        let words = sent.map(|event_type| event_type.as_str());
        Object::builder().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

/// From where on a webhook sends events.
pub struct BeginAtWord;

impl ToSchema for BeginAtWord {}

impl PartialSchema for BeginAtWord {
    fn schema() -> RefOr<Schema> {
        let word = Object::builder().schema_type(Type::String).enum_values(Some(["now", "last"]));
        let time =
            Object::builder().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        OneOf::builder().item(word).item(time).into()
    }
}

/// Unix seconds as the provider sends them: a string or an integer of at most ten digits.
pub struct StartSeconds;

impl ToSchema for StartSeconds {}

impl PartialSchema for StartSeconds {
    fn schema() -> RefOr<Schema> {
        text_or_integer("^(0|[1-9][0-9]{0,9})$", 9_999_999_999)
    }
}

/// Unix seconds as the provider sends them: an integer or a string of at most 18 digits.
pub struct ExpirySeconds;

impl ToSchema for ExpirySeconds {}

impl PartialSchema for ExpirySeconds {
    fn schema() -> RefOr<Schema> {
        text_or_integer("^(0|[1-9][0-9]{0,17})$", 999_999_999_999_999_999)
    }
}

/// A string without control characters.
pub fn plain_text() -> Object {
    Object::builder().schema_type(Type::String).pattern(Some(query_reader::TEXT_PATTERN)).build()
}

fn text_or_integer(pattern: &str, maximum: i64) -> RefOr<Schema> {
    let text = Object::builder().schema_type(Type::String).pattern(Some(pattern));
    let integer = Object::builder().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(maximum));
    OneOf::builder().item(text).item(integer).into()
}
