//! The settings of a webhook, as callers send and see them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::problem::ApiError;
use crate::api::schema::{BeginAtWord, SelectedName, SentEventType};
use crate::delivery::admin::{BeginAt, WebhookSettings};
use crate::delivery::feed::Selection;
use crate::delivery::lag::WebhookStatus;
use crate::model::session::Renditions;
use crate::model::webhook::{DisabledReason, WebhookEventType, WebhookKind, WebhookState};
use crate::platform::clock;

/// The settings of a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookSettings)]
pub struct WebhookBody {
    /// Name of the webhook: its purpose or owner. No two webhooks have the same.
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "recorder")]
    name: String,
    /// `events`; or `relay`, which sends the provider's callbacks of the domains, byte for byte.
    #[schema(value_type = WebhookKind)]
    #[serde(default = "events")]
    kind: String,
    /// Where events are sent: an `https` URL with a public address. The service's settings may allow others.
    #[schema(max_length = 2048, example = "https://receiver.example.com/streams")]
    url: String,
    /// Types of events that are sent; all if null.
    #[schema(value_type = Option<Vec<SentEventType>>, min_items = 1)]
    event_types: Option<Vec<String>>,
    /// Domains whose events are sent; all if null.
    #[schema(value_type = Option<Vec<SelectedName>>, min_items = 1, max_items = 1000)]
    domains: Option<Vec<String>>,
    /// Apps whose sessions are sent; all if null.
    #[schema(value_type = Option<Vec<SelectedName>>, min_items = 1, max_items = 1000)]
    apps: Option<Vec<String>>,
    /// Whether sessions of transcoded renditions are sent.
    #[schema(value_type = Renditions)]
    #[serde(default = "include")]
    renditions: String,
    /// Whether sessions contain addresses and the query string of the push URL.
    #[serde(default)]
    personal: bool,
    /// Further headers of each request, such as `Authorization`. Not shown again. Omitted: unchanged; empty: none.
    headers: Option<BTreeMap<String, String>>,
    /// Whether events are sent.
    #[schema(value_type = WebhookState)]
    #[serde(default = "enabled")]
    state: String,
    /// From where on events are sent: `now`, `last` (after the last event that was sent; the default for a change), or a
    /// time.
    #[schema(value_type = Option<BeginAtWord>, example = "now")]
    begin_at: Option<String>,
}

fn events() -> String {
    WebhookKind::Events.to_string()
}

fn include() -> String {
    Renditions::Include.to_string()
}

fn enabled() -> String {
    WebhookState::Enabled.to_string()
}

impl WebhookBody {
    pub fn read(self, begin_at: BeginAt) -> Result<(WebhookSettings, BeginAt), ApiError> {
        let event_types = self.event_types.map(|types| {
            let types = types.iter().map(|text| text.parse::<WebhookEventType>()).collect::<Result<Vec<_>, _>>();
            types.map_err(|_| ApiError::invalid("event_types", "must be types of events, such as session.started"))
        });
        let settings = WebhookSettings {
            name: self.name,
            kind: self.kind.parse().map_err(|_| ApiError::invalid("kind", "must be one of events, relay"))?,
            url: self.url,
            selection: Selection {
                event_types: event_types.transpose()?,
                domains: self.domains,
                apps: self.apps,
                renditions: self
                    .renditions
                    .parse()
                    .map_err(|_| ApiError::invalid("renditions", "must be one of include, exclude, only"))?,
                personal: self.personal,
            },
            headers: self.headers,
            state: self.state.parse().map_err(|_| ApiError::invalid("state", "must be one of enabled, disabled"))?,
        };
        let begin_at = match self.begin_at.as_deref() {
            None => begin_at,
            Some("now") => BeginAt::Now,
            Some("last") => BeginAt::Last,
            Some(time) => match DateTime::parse_from_rfc3339(time) {
                Ok(time) => BeginAt::Time(time.to_utc()),
                Err(_) => return Err(ApiError::invalid("begin_at", "must be now, last, or a time")),
            },
        };
        Ok((settings, begin_at))
    }
}

/// A webhook without its secret and its further headers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView {
    /// ID.
    pub webhook_id: Uuid,
    /// Name of the webhook: its purpose or owner.
    name: String,
    /// What is sent.
    kind: WebhookKind,
    /// Where events are sent.
    url: String,
    /// Types of events that are sent; all if null.
    #[schema(required)]
    event_types: Option<Vec<WebhookEventType>>,
    /// Domains whose events are sent; all if null.
    #[schema(required)]
    domains: Option<Vec<String>>,
    /// Apps whose sessions are sent; all if null.
    #[schema(required)]
    apps: Option<Vec<String>>,
    /// Whether sessions of transcoded renditions are sent.
    renditions: Renditions,
    /// Whether sessions contain addresses and the query string of the push URL.
    personal: bool,
    /// Whether requests have further headers.
    has_headers: bool,
    /// Until when the secret before the current one signs, too; null if it does not.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    secret_before_until: Option<DateTime<Utc>>,
    /// Whether events are sent.
    state: WebhookState,
    /// Why no events are sent; null while they are.
    #[schema(required)]
    disabled_reason: Option<DisabledReason>,
    /// Since when every attempt has failed; null if the last one succeeded.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    failing_since: Option<DateTime<Utc>>,
    /// When an attempt last succeeded.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    last_success_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed; null if it succeeded.
    #[schema(required)]
    last_error: Option<String>,
    /// When the oldest event was recorded that was neither sent nor recorded as a failed delivery; null if there is none.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    oldest_unsent_at: Option<DateTime<Utc>>,
    /// Time of creation.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    /// Time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: DateTime<Utc>,
}

impl From<WebhookStatus> for WebhookView {
    fn from(WebhookStatus { row, oldest_unsent_at }: WebhookStatus) -> Self {
        Self {
            webhook_id: row.webhook_id,
            name: row.name,
            kind: row.kind,
            url: row.url,
            event_types: row.event_types,
            domains: row.domains,
            apps: row.apps,
            renditions: row.renditions,
            personal: row.personal,
            has_headers: row.sealed_headers.is_some(),
            secret_before_until: row.secret_before_until.filter(|until| clock::now() < *until),
            state: row.state,
            disabled_reason: row.disabled_reason,
            failing_since: row.failing_since,
            last_success_at: row.last_success_at,
            last_error: row.last_error,
            oldest_unsent_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A new webhook.
#[derive(Serialize, ToSchema)]
pub struct CreatedWebhook {
    /// The secret that signs its requests. Shown only once.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    pub secret: String,
    #[serde(flatten)]
    pub webhook: WebhookView,
}

/// A page of webhooks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookPage)]
pub struct WebhookPageView {
    /// The webhooks, oldest first.
    pub data: Vec<WebhookView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}
