//! What webhooks send, for the API document.

use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
use utoipa::openapi::{ContentBuilder, HttpMethod, Object, ObjectBuilder, PathItem, Paths, PathsBuilder};
use utoipa::openapi::{Ref, RefOr, Required, Response, Schema};

use crate::model::webhook::WebhookEventType;

/// An entry for each type of event.
pub fn webhooks() -> Paths {
    let item = |event_type: &WebhookEventType| {
        let description = description(*event_type);
        let body = ContentBuilder::new().schema(Some(body(*event_type))).build();
        let operation = OperationBuilder::new()
            .tag("webhooks")
            .operation_id(Some(format!("receive {event_type}").replace([' ', '.'], "_")))
            .summary(Some(event_type.as_str()))
            .description(Some(description))
            .parameters(Some(headers()))
            .request_body(Some(
                RequestBodyBuilder::new().content("application/json", body).required(Some(Required::True)).build(),
            ))
            .response("2XX", Response::new("Accepted"))
            .response("410", Response::new("No more events: the webhook is disabled"))
            .response("default", Response::new("Not accepted: the event is sent again later"));
        PathItem::new(HttpMethod::Post, operation)
    };
    let add = |paths: PathsBuilder, event_type: &WebhookEventType| paths.path(event_type.as_str(), item(event_type));
    WebhookEventType::ALL.iter().fold(PathsBuilder::new(), add).build()
}

fn description(event_type: WebhookEventType) -> &'static str {
    match event_type {
        WebhookEventType::SessionStarted => {
            "The first callback of a session that counts was folded, and the session is live. At most once per \
             session, unless it was withdrawn."
        }
        WebhookEventType::SessionEnded => {
            "The session ended. At most once per session, unless it was withdrawn; without a start callback, it is the \
             first event."
        }
        WebhookEventType::SessionCorrected => {
            "What is known of the session changed otherwise: a late callback, an end that is withdrawn, the provider's \
             lists, an operator."
        }
        WebhookEventType::SessionWithdrawn => {
            "The session was known only from the provider's history and is the push of another session: it no longer \
             counts. `session` has its last values."
        }
        WebhookEventType::SessionUnconfirmed => {
            "The session is live for longer than `--unconfirmed-after`, without a recent confirmation."
        }
        WebhookEventType::MessagesQuarantined => {
            "Callbacks of a domain were quarantined. One event for each domain, reason and minute."
        }
        WebhookEventType::DomainSilent => "No push has started for longer than the domain usually pauses.",
        WebhookEventType::DomainHeard => "A push of a silent domain has started.",
        WebhookEventType::WebhookDisabled => "A webhook was disabled because its receiver fails, or is gone.",
        WebhookEventType::FeedGap => "Something is never sent: ask the API for the state of sessions.",
        WebhookEventType::WebhookTest => "An administrator asked for a test.",
        WebhookEventType::Callback => {
            "Sent by a relay: a callback of the provider, byte for byte, with the provider's own signature in the body."
        }
    }
}

/// The body of an event.
fn body(event_type: WebhookEventType) -> RefOr<Schema> {
    let data = match event_type {
        WebhookEventType::SessionStarted
        | WebhookEventType::SessionEnded
        | WebhookEventType::SessionCorrected
        | WebhookEventType::SessionWithdrawn => "WebhookSessionData",
        WebhookEventType::SessionUnconfirmed => "WebhookUnconfirmedData",
        WebhookEventType::MessagesQuarantined => "WebhookQuarantinedData",
        WebhookEventType::DomainSilent => "WebhookSilentData",
        WebhookEventType::DomainHeard => "WebhookHeardData",
        WebhookEventType::WebhookDisabled => "WebhookDisabledData",
        WebhookEventType::FeedGap => "WebhookGapData",
        WebhookEventType::WebhookTest => "WebhookTestData",
        WebhookEventType::Callback => return Ref::from_schema_name("Notification").into(),
    };
    let event_type = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some([event_type.as_str()]))
        .description(Some("The type of the event"));
    let timestamp = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("When the event was recorded"));
    ObjectBuilder::new()
        .property("type", event_type)
        .required("type")
        .property("timestamp", timestamp)
        .required("timestamp")
        .property("data", Ref::from_schema_name(data))
        .required("data")
        .into()
}

/// The headers of each request, by Standard Webhooks.
fn headers() -> [Parameter; 4] {
    let header = |name: &str, kind: Type, description: &str| {
        let is_always_sent = name != "webhook-replay";
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(if is_always_sent { Required::True } else { Required::False })
            .description(Some(description))
            .schema(Some(Object::with_type(kind)))
            .build()
    };
    [
        header("webhook-id", Type::String, "The ID of the event: the same in all attempts"),
        header("webhook-timestamp", Type::Integer, "Time of this attempt, in Unix seconds"),
        header(
            "webhook-signature",
            Type::String,
            "`v1,` and the signature, by Standard Webhooks; two of them, separated by a space, while the secret is replaced",
        ),
        header("webhook-replay", Type::String, "`true` if someone asked for the event to be sent again"),
    ]
}
