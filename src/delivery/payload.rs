//! The bodies of events: what receivers read. Functions of the log alone, so each attempt sends the same bytes.
//!
//! A newer version may add members.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::event::QuarantineReason;
use crate::model::session::{EndSource, Flag, SessionStatus};
use crate::model::webhook::{CorrectionReason, DisabledReason, GapReason, WebhookEventType};
use crate::reconciler::change::SessionChange;
use crate::session::lifecycle;
use crate::store::session::SessionRow;

/// An event, as webhooks send it.
#[derive(Debug, Serialize)]
pub struct EventView<D> {
    /// The type of the event.
    #[serde(rename = "type")]
    pub event_type: WebhookEventType,
    /// When the event was recorded.
    pub timestamp: DateTime<Utc>,
    /// What the event is about.
    pub data: D,
}

/// A session, as an event left it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookSession)]
pub struct SessionSnapshot {
    /// Opaque, stable ID. IDs sort by the start of the session.
    pub session_id: Uuid,
    /// The pushed stream.
    pub stream_id: Uuid,
    /// Ingest domain.
    #[schema(example = "push.example.com")]
    pub domain: String,
    /// App.
    #[schema(example = "live")]
    pub app: String,
    /// Stream name.
    #[schema(example = "example_stream")]
    pub stream: String,
    /// Start of the push, in Unix seconds.
    #[schema(example = 1_587_954_134)]
    pub publish_timestamp: i64,
    /// `live` or `ended`.
    pub status: SessionStatus,
    /// Start of the push: `publish_timestamp` as a time.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: DateTime<Utc>,
    /// End of the push; null while live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Source of the end; null while live.
    #[schema(required)]
    pub ended_at_source: Option<EndSource>,
    /// Seconds from the start to the end; null while live.
    #[schema(required, minimum = 0)]
    pub duration_seconds: Option<i64>,
    /// When an operator or the provider's list confirmed last that the session is live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The transcoding template of a rendition; null for a source.
    #[schema(required)]
    pub rendition_template: Option<String>,
    /// Warnings about the session.
    pub flags: Vec<Flag>,
    /// IP address of the encoder. Only for a webhook with personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_ip: Option<Option<String>>,
    /// IP address of the receiving node. Only for a webhook with personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub node_ip: Option<Option<String>>,
    /// Query string of the push URL, with credentials masked. Only for a webhook with personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user_args: Option<Option<String>>,
}

impl SessionSnapshot {
    pub fn new(row: SessionRow, personal: bool) -> Self {
        let client_ip = row.shown_client_ip().map(str::to_owned);
        let node_ip = row.shown_node_ip().map(str::to_owned);
        let seconds = |ended_at| lifecycle::duration_seconds(row.started_at, Some(ended_at), ended_at);
        Self {
            duration_seconds: row.ended_at.map(seconds),
            client_ip: personal.then_some(client_ip),
            node_ip: personal.then_some(node_ip),
            user_args: personal.then_some(row.user_args),
            session_id: row.session_id,
            stream_id: row.stream_id,
            domain: row.domain,
            app: row.app,
            stream: row.stream,
            publish_timestamp: row.publish_timestamp,
            status: SessionStatus::of(row.ended_at),
            started_at: row.started_at,
            ended_at: row.ended_at,
            ended_at_source: row.ended_at_source,
            confirmed_at: row.confirmed_at,
            rendition_template: row.rendition_template,
            flags: row.flags,
        }
    }
}

/// What `session.started`, `session.ended`, `session.corrected` and `session.withdrawn` tell.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookSessionData)]
pub struct SessionData {
    pub session: SessionSnapshot,
    /// Orders the events of a session: the greater one is newer. Compare within one session only.
    #[schema(example = 18_231)]
    pub revision: i64,
    /// What changed it. Only in `session.corrected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<CorrectionReason>,
    /// The former values of the members of `session` that changed. Only in `session.corrected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Map<String, Value>>,
}

/// What `session.unconfirmed` tells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookUnconfirmedData)]
pub struct UnconfirmedData {
    pub session: SessionSnapshot,
    /// When the session was last known to be live: its start, or its last confirmation.
    #[schema(value_type = String, format = DateTime)]
    pub known_live_at: DateTime<Utc>,
}

/// What `messages.quarantined` tells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookQuarantinedData)]
pub struct QuarantinedData {
    #[schema(example = "push.example.com")]
    pub domain: String,
    /// Why the callbacks were quarantined.
    pub reason: QuarantineReason,
    /// Start of the minute in which they were recorded.
    #[schema(value_type = String, format = DateTime)]
    pub minute: DateTime<Utc>,
    /// How many they are.
    #[schema(minimum = 1)]
    pub count: i64,
    /// The first of them, at most 10.
    #[schema(max_items = 10)]
    pub event_ids: Vec<Uuid>,
}

/// What `domain.silent` tells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookSilentData)]
pub struct SilentData {
    #[schema(example = "push.example.com")]
    pub domain: String,
    /// When the last push started.
    #[schema(value_type = String, format = DateTime)]
    pub last_started_at: DateTime<Utc>,
    /// How long the domain's pauses usually are, at most.
    pub usual_gap_seconds: i64,
}

/// What `domain.heard` tells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookHeardData)]
pub struct HeardData {
    #[schema(example = "push.example.com")]
    pub domain: String,
    /// When the last push started.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub last_started_at: Option<DateTime<Utc>>,
    /// When the silence was noticed.
    #[schema(value_type = String, format = DateTime)]
    pub silent_since: DateTime<Utc>,
}

/// What `webhook.disabled` tells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDisabledData)]
pub struct DisabledData {
    pub webhook_id: Uuid,
    #[schema(example = "recorder")]
    pub name: String,
    pub reason: DisabledReason,
    /// Since when every attempt has failed.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<DateTime<Utc>>,
}

/// What `feed.gap` tells: something is never sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookGapData)]
pub struct GapData {
    pub reason: GapReason,
    /// What was recorded until then is missing. Ask the API for the state of sessions.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_until: DateTime<Utc>,
    /// How many callbacks were not relayed. Only of a relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callbacks: Option<i64>,
}

/// What `webhook.test` tells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookTestData)]
pub struct TestData {
    pub webhook_id: Uuid,
}

/// The event that tells of a change.
pub fn event_of(change: SessionChange, personal: bool) -> EventView<SessionData> {
    let event_type = type_of(&change);
    let SessionChange { position, recorded_at, reason, before, after, withdrawn: _, had_ended: _ } = change;
    let session = SessionSnapshot::new(after, personal);
    let is_correction = event_type == WebhookEventType::SessionCorrected;
    let before = before.filter(|_| is_correction).map(|before| SessionSnapshot::new(before, personal));
    let previous = before.map(|before| differing_members(&before, &session));
    let reason = is_correction.then_some(reason);
    EventView {
        event_type,
        timestamp: recorded_at,
        data: SessionData { session, revision: position, reason, previous },
    }
}

/// Each session starts at most once and ends at most once, unless it is withdrawn; the rest are corrections.
pub fn type_of(change: &SessionChange) -> WebhookEventType {
    if change.withdrawn {
        return WebhookEventType::SessionWithdrawn;
    }
    let is_ended = change.after.ended_at.is_some();
    match (&change.before, is_ended, change.had_ended) {
        (None, false, _) => WebhookEventType::SessionStarted,
        (None, true, _) | (Some(_), true, false) => WebhookEventType::SessionEnded,
        (Some(_), true, true) | (Some(_), false, _) => WebhookEventType::SessionCorrected,
    }
}

/// The members of `before` that have another value now.
fn differing_members(before: &SessionSnapshot, now: &SessionSnapshot) -> Map<String, Value> {
    let members = |snapshot: &SessionSnapshot| {
        let Ok(Value::Object(members)) = serde_json::to_value(snapshot) else {
            unreachable!("a snapshot is an object")
        };
        members
    };
    let now = members(now);
    members(before).into_iter().filter(|(name, value)| now.get(name) != Some(value)).collect()
}
