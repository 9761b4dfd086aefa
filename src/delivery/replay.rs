//! Sends events again that someone asks for. They wait like failed ones, and are sent when nothing else is due.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::admin::{WebhookAdmin, WebhookError};
use super::feed::{Feed, Selection, find_cursor};
use super::queue::Event;
use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::model::webhook::{DeliveryState, WebhookKind};
use crate::store;
use crate::store::webhook::WebhookRow;
use crate::store::webhook_delivery::{DeliveryRow, ReplayFilter};

/// The most events of a replay.
pub const MAX_EVENTS: usize = 100_000;

/// How many log entries are read at once.
const STRETCH: usize = 8_000;

/// How many deliveries are stored at once.
const CHUNK: usize = 1_000;

/// What is sent again.
#[derive(Debug, Clone)]
pub enum ReplayOf {
    /// Events that were recorded in `[from, to)`.
    Period {
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    },
    Session(Uuid),
    Deliveries(Vec<Uuid>),
}

/// What is sent again.
#[derive(Debug, Clone)]
pub struct Replay {
    pub what: ReplayOf,
    /// Only what the receiver has not accepted.
    pub only_failed: bool,
}

impl WebhookAdmin<'_> {
    /// Sends events again. Returns how many.
    ///
    /// # Errors
    /// [`WebhookError::TooManyEvents`]; then none is sent.
    pub async fn replay(
        &self,
        actor: &Actor,
        webhook_id: Uuid,
        replay: &Replay,
        now: DateTime<Utc>,
    ) -> Result<usize, WebhookError> {
        let rows = self.find_replayed(webhook_id, replay).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let again = |row: DeliveryRow| DeliveryRow {
            state: DeliveryState::Waiting,
            replayed: true,
            attempts: 0,
            first_attempt_at: now,
            last_attempt_at: now,
            next_attempt_at: Some(now),
            last_status: None,
            last_error: None,
            ..row
        };
        let rows: Vec<_> = rows.into_iter().map(again).collect();
        let mut transaction = self.pool.begin().await?;
        for chunk in rows.chunks(CHUNK) {
            store::webhook_delivery::upsert_deliveries(&mut *transaction, chunk).await?;
        }
        store::webhook::bump_version(&mut *transaction, webhook_id).await?;
        let details = Some(json!({ "events": rows.len() }));
        let subject = Subject { id: Some(webhook_id), details, ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::WebhookReplayed, subject).await?;
        transaction.commit().await?;
        Ok(rows.len())
    }

    /// How many events a replay would send.
    ///
    /// # Errors
    /// As [`Self::replay`].
    pub async fn count_replay(&self, webhook_id: Uuid, replay: &Replay) -> Result<usize, WebhookError> {
        Ok(self.find_replayed(webhook_id, replay).await?.len())
    }

    async fn find_replayed(&self, webhook_id: Uuid, replay: &Replay) -> Result<Vec<DeliveryRow>, WebhookError> {
        let webhooks = store::webhook::list_webhooks(self.pool).await?;
        let webhook = webhooks.into_iter().find(|row| row.webhook_id == webhook_id).ok_or(WebhookError::NotFound)?;
        if webhook.kind == WebhookKind::Relay && !replay.only_failed {
            return Err(WebhookError::NotKept);
        }
        let rows = match (&replay.what, replay.only_failed) {
            (ReplayOf::Deliveries(ids), _) => {
                let filter = ReplayFilter { delivery_ids: Some(ids.clone()), ..ReplayFilter::default() };
                self.find_recorded(webhook_id, &filter, replay.only_failed).await?
            }
            (ReplayOf::Session(session_id), true) => {
                let filter = ReplayFilter { session_id: Some(*session_id), ..ReplayFilter::default() };
                self.find_recorded(webhook_id, &filter, true).await?
            }
            (ReplayOf::Period { from, to }, true) => {
                let filter = ReplayFilter { period: Some((*from, *to)), ..ReplayFilter::default() };
                self.find_recorded(webhook_id, &filter, true).await?
            }
            (ReplayOf::Session(session_id), false) => self.find_of_session(webhook, *session_id).await?,
            (ReplayOf::Period { from, to }, false) => self.find_of_period(webhook, *from, *to).await?,
        };
        if rows.len() > MAX_EVENTS { Err(WebhookError::TooManyEvents) } else { Ok(rows) }
    }

    async fn find_recorded(
        &self,
        webhook_id: Uuid,
        filter: &ReplayFilter,
        only_failed: bool,
    ) -> Result<Vec<DeliveryRow>, sqlx::Error> {
        let limit = i64::try_from(MAX_EVENTS + 1).unwrap_or(i64::MAX);
        store::webhook_delivery::list_deliveries_to_replay(self.pool, webhook_id, filter, only_failed, limit).await
    }

    /// The events of a session that the webhook has settled, from the log: their deliveries may be forgotten.
    async fn find_of_session(&self, webhook: WebhookRow, session_id: Uuid) -> Result<Vec<DeliveryRow>, WebhookError> {
        let Some(session) = store::session::get_session(self.pool, session_id).await? else { return Ok(Vec::new()) };
        let settled = self.settled(webhook.webhook_id).await?;
        let settled = settled.get(&session.shard).copied().unwrap_or_default();
        let webhook_id = webhook.webhook_id;
        let events = self.feed().await?.read_session(&Selection::of(webhook), session.shard, session_id).await?;
        let events = events.into_iter().filter(|event| event.place.1 <= settled);
        Ok(events.map(|event| delivery_of(webhook_id, &event)).collect())
    }

    /// The events of a period that the webhook has settled, from the log.
    async fn find_of_period(
        &self,
        webhook: WebhookRow,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<DeliveryRow>, WebhookError> {
        let webhook_id = webhook.webhook_id;
        let settled = self.settled(webhook_id).await?;
        let feed = self.feed().await?;
        let selection = Selection::of(webhook);
        let mut connection = self.pool.acquire().await?;
        let mut position: BTreeMap<i16, i64> = find_cursor(&mut connection, Some(from)).await?.into_iter().collect();
        let mut until: BTreeMap<i16, i64> = find_cursor(&mut connection, Some(to)).await?.into_iter().collect();
        drop(connection);
        for (shard, until) in &mut until {
            *until = (*until).min(settled.get(shard).copied().unwrap_or_default());
        }
        let mut events = Vec::new();
        loop {
            let stretch = feed.read_until(&selection, &position, Some(&until), STRETCH).await?;
            events.extend(stretch.events.iter().map(|event| delivery_of(webhook_id, event)));
            let read_to: BTreeMap<i16, i64> = stretch.read_to.into_iter().collect();
            if read_to == position || events.len() > MAX_EVENTS {
                return Ok(events);
            }
            position = read_to;
        }
    }

    async fn settled(&self, webhook_id: Uuid) -> Result<BTreeMap<i16, i64>, sqlx::Error> {
        let cursor = store::webhook::list_cursor(self.pool, webhook_id).await?;
        Ok(cursor.into_iter().map(|place| (place.shard, place.position)).collect())
    }

    async fn feed(&self) -> Result<Feed, sqlx::Error> {
        let installation = store::installation::get_installation(self.pool).await?.ok_or(sqlx::Error::RowNotFound)?;
        Ok(Feed { pool: self.pool.clone(), installation_id: installation.installation_id })
    }
}

/// A delivery of which nothing was attempted yet.
fn delivery_of(webhook_id: Uuid, event: &Event) -> DeliveryRow {
    let (shard, position) = event.place;
    DeliveryRow {
        webhook_id,
        delivery_id: event.delivery_id,
        event_type: event.event_type,
        shard,
        position,
        stream_id: event.stream_id,
        session_id: event.session_id,
        recorded_at: event.recorded_at,
        state: DeliveryState::Waiting,
        replayed: true,
        attempts: 0,
        first_attempt_at: event.recorded_at,
        last_attempt_at: event.recorded_at,
        next_attempt_at: None,
        last_status: None,
        last_error: None,
    }
}
