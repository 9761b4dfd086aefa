//! Entries of the log as callers see them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::{Disposition, SignatureKind};
use crate::access::{Principal, Scope};
use crate::session::StreamKey;
use crate::store::event::EventRow;

/// One entry of the event log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Opaque and stable.
    pub event_id: Uuid,
    /// The session that it is about.
    pub session_id: Uuid,
    /// The stream that it is about.
    pub stream_id: Uuid,
    /// Ingest domain.
    #[schema(example = "push.example.com")]
    pub domain: String,
    /// Application.
    #[schema(example = "live")]
    pub app: String,
    /// Stream name.
    #[schema(example = "example_stream")]
    pub stream: String,
    /// Unix seconds at which the push began.
    #[schema(example = 1_587_954_134)]
    pub publish_timestamp: i64,
    /// The provider's word (`PUBLISH`, `PUBLISH_DONE`, or one that is not documented), or one of ours: `SUPERSEDED`,
    /// `TIMED_OUT`, `OPERATOR_END`, `OPERATOR_END_WITHDRAWN`, `RELEASED`.
    #[schema(example = "PUBLISH")]
    pub event: String,
    /// When it arrived, by the service's clock.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: DateTime<Utc>,
    /// When it was appended, by the database's clock.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: DateTime<Utc>,
    /// Whether it counts.
    #[schema(value_type = Disposition)]
    pub disposition: String,
    /// Why it does not count; null when it does.
    #[schema(required)]
    pub reason: Option<String>,
    /// How it was signed; null for what is not from the provider.
    #[schema(required, value_type = Option<SignatureKind>)]
    pub signature: Option<String>,
    /// The key that the signature fits.
    #[schema(required)]
    pub key_id: Option<Uuid>,
    /// Unix second at which the signature expires.
    #[schema(required)]
    pub auth_timestamp: Option<i64>,
    /// The operator who did it; null for what is not an operator's act.
    #[schema(required)]
    pub actor: Option<String>,
    /// The operator's reason.
    #[schema(required)]
    pub note: Option<String>,
    /// The encoder's address. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_ip: Option<Option<String>>,
    /// The receiving node's address. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub node_ip: Option<Option<String>>,
    /// The address that the message came from. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source_ip: Option<Option<String>>,
    /// Query string of the push URL, credentials masked. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user_args: Option<Option<String>>,
}

/// A page of log entries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventPage)]
pub struct EventPageView {
    /// The entries.
    pub data: Vec<EventView>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl EventView {
    /// An entry as this caller may see it.
    #[must_use]
    pub fn new(row: EventRow, principal: &Principal) -> Self {
        let personal = principal.may(Scope::Personal);
        let stream = StreamKey { domain: row.domain, app: row.app, stream: row.stream };
        let stream_id = stream.id().0;
        Self {
            event_id: row.event_id,
            session_id: row.session_id,
            stream_id,
            domain: stream.domain,
            app: stream.app,
            stream: stream.stream,
            publish_timestamp: row.publish_timestamp,
            event: row.event,
            received_at: row.received_at,
            recorded_at: row.recorded_at,
            disposition: row.disposition,
            reason: row.reason,
            signature: row.signature,
            key_id: row.key_id,
            auth_timestamp: row.auth_timestamp,
            actor: row.actor,
            note: row.note,
            client_ip: personal.then_some(row.client_ip),
            node_ip: personal.then_some(row.node_ip),
            source_ip: personal.then_some(row.source_ip),
            user_args: personal.then_some(row.user_args),
        }
    }
}
