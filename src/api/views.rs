//! Response types that several operations share.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::huawei::rendition;
use crate::model::session::{EndSource, Flag, SessionStatus};
use crate::session::{StreamKey, lifecycle};
use crate::store::session::SessionRow;

/// The source stream of a rendition.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RenditionOf)]
pub struct RenditionView {
    /// ID of the source stream.
    pub stream_id: Uuid,
    /// Name of the source stream.
    pub stream: String,
    /// The transcoding template of the rendition.
    #[schema(example = "lud")]
    pub template: String,
}

impl RenditionView {
    /// The source of a stream that `template` made; `None` for a source.
    #[must_use]
    pub fn new(domain: &str, app: &str, stream: &str, template: Option<String>) -> Option<Self> {
        let template = template?;
        let source = rendition::source_of(stream, &template)?.to_owned();
        let key = StreamKey { domain: domain.to_owned(), app: app.to_owned(), stream: source };
        Some(Self { stream_id: key.id().0, stream: key.stream, template })
    }
}

/// One push of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
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
    /// Live for longer than expected (`--unconfirmed-after`), since its start or since an operator or the provider's list confirmed it.
    pub unconfirmed: bool,
    /// Start of the push: `publish_timestamp` as a time.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: DateTime<Utc>,
    /// End of the push; null while live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Source of the end; null while live.
    #[schema(required)]
    pub ended_at_source: Option<EndSource>,
    /// Seconds from the start to the end; to the time of the response while live.
    #[schema(minimum = 0)]
    pub duration_seconds: i64,
    /// When a start callback was first received.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub start_received_at: Option<DateTime<Utc>>,
    /// When an end callback was first received.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub end_received_at: Option<DateTime<Utc>>,
    /// When an operator or the provider's list confirmed last that the session is live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When the provider's list last contained the session, to within three minutes; null if never. Kept for eight
    /// days. Present only for a single session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_listed_at: Option<Option<DateTime<Utc>>>,
    /// End of the push by the provider's history; null if none is known. A reported end and an operator's have precedence.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub provider_ended_at: Option<DateTime<Utc>>,
    /// How often a start callback was received.
    #[schema(minimum = 0)]
    pub start_deliveries: i32,
    /// How often an end callback was received.
    #[schema(minimum = 0)]
    pub end_deliveries: i32,
    /// The source stream, if this is a transcoded rendition; null for a source.
    #[schema(required)]
    pub rendition_of: Option<RenditionView>,
    /// Warnings about the session.
    pub flags: Vec<Flag>,
    /// IP address of the encoder. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_ip: Option<Option<String>>,
    /// IP address of the receiving node. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub node_ip: Option<Option<String>>,
    /// Query string of the push URL, with credentials masked. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user_args: Option<Option<String>>,
}

impl SessionView {
    /// A session at `as_of`, with personal fields or without.
    #[must_use]
    pub fn new(row: SessionRow, personal: bool, as_of: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Self {
        let client_ip = row.shown_client_ip().map(str::to_owned);
        let node_ip = row.shown_node_ip().map(str::to_owned);
        let known_live_at = row.known_live_at();
        Self {
            rendition_of: RenditionView::new(&row.domain, &row.app, &row.stream, row.rendition_template),
            unconfirmed: lifecycle::is_unconfirmed(known_live_at, row.ended_at, as_of, unconfirmed_after),
            duration_seconds: lifecycle::duration_seconds(row.started_at, row.ended_at, as_of),
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
            start_received_at: row.start_received_at,
            end_received_at: row.end_received_at,
            confirmed_at: row.confirmed_at,
            last_listed_at: None,
            provider_ended_at: row.history_ended_at,
            start_deliveries: row.start_deliveries,
            end_deliveries: row.end_deliveries,
            flags: row.flags,
        }
    }

    /// With the time when the provider's list last contained it.
    #[must_use]
    pub fn with_last_listed_at(self, last_listed_at: Option<DateTime<Utc>>) -> Self {
        Self { last_listed_at: Some(last_listed_at), ..self }
    }
}
