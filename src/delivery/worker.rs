//! Sends the events of one webhook, until stopped.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::admin;
use super::answer::Answer;
use super::feed::Feed;
use super::open::{Content, OpenWebhook};
use super::queue::{AttemptOutcome, Event, MAX_FRESH, MAX_WAITING, Queue, Settled, WaitingEvent};
use super::transport::{Attempt, Received, Transport};
use crate::model::webhook::{DeliveryState, DisabledReason, WebhookKind};
use crate::platform::clock;
use crate::store;
use crate::store::webhook::{CursorRow, HealthRow};
use crate::store::webhook_delivery::DeliveryRow;
use crate::telemetry::metrics::WEBHOOK_ATTEMPT_SECONDS;

/// How often results and the cursor are stored while events are sent. What a crash loses is sent again, with the same ids.
const SAVE_INTERVAL: TimeDelta = TimeDelta::seconds(1);

/// How often deliveries that wait are loaded.
const WAITING_INTERVAL: TimeDelta = TimeDelta::seconds(30);

/// The most log entries that are read at once.
const MAX_STRIDE: usize = 8_192;

/// Outcomes of attempts, in metrics.
const DELIVERED: &str = "delivered";
const REJECTED: &str = "rejected";
const UNPROCESSED: &str = "unprocessed";

/// How long a stopping worker waits for attempts in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// When a webhook is disabled: all attempts have failed for so long, and so often.
const DISABLE_AFTER: TimeDelta = TimeDelta::hours(120);
const DISABLE_AFTER_ATTEMPTS: i32 = 20;

/// Sends the events of one webhook.
pub struct Worker {
    webhook: Arc<OpenWebhook>,
    feed: Feed,
    transport: Transport,
    pool: PgPool,
    queue: Queue,
    /// The bodies of fresh events.
    bodies: HashMap<Uuid, Vec<u8>>,
    /// What is not stored yet, by delivery.
    results: HashMap<Uuid, DeliveryRow>,
    health: HealthRow,
    health_changed: bool,
    saved_at: DateTime<Utc>,
    saved_cursor: Vec<(i16, i64)>,
    /// Why the webhook is to be disabled at once.
    gone: Option<DisabledReason>,
    /// Whether the feed may have events that were not read.
    may_have_more: bool,
    read_at: DateTime<Utc>,
    /// How many log entries are read at once: more while few of them are events for this webhook.
    stride: usize,
    /// When deliveries that wait were loaded. `None`: there may be more of them.
    waiting_read_at: Option<DateTime<Utc>>,
}

/// The end of an attempt.
struct Attempted {
    event: Event,
    /// `None` if nothing is left to send. An error: it could not be read.
    attempt: Result<Option<Attempt>, sqlx::Error>,
}

impl Worker {
    /// Loads where the webhook was.
    pub async fn load(
        webhook: OpenWebhook,
        health: HealthRow,
        feed: Feed,
        transport: Transport,
        pool: PgPool,
    ) -> Result<Self, sqlx::Error> {
        let cursor = store::webhook::list_cursor(&pool, webhook.webhook_id).await?;
        let cursor: Vec<_> = cursor.into_iter().map(|place| (place.shard, place.position)).collect();
        let settled = store::webhook_delivery::list_beyond_cursor(&pool, webhook.webhook_id).await?;
        let queue = Queue::new(webhook.kind, cursor.clone(), settled.into_iter().collect());
        Ok(Self {
            webhook: Arc::new(webhook),
            feed,
            transport,
            pool,
            queue,
            bodies: HashMap::new(),
            results: HashMap::new(),
            health,
            health_changed: false,
            saved_at: clock::now(),
            saved_cursor: cursor,
            gone: None,
            may_have_more: true,
            read_at: clock::now(),
            stride: MAX_FRESH,
            waiting_read_at: None,
        })
    }

    /// Loads deliveries that are due soon, if few of them are in memory. What was attempted must be saved before.
    async fn fill_waiting(&mut self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let is_recent = self.waiting_read_at.is_some_and(|read_at| now < read_at + WAITING_INTERVAL);
        let until = now + WAITING_INTERVAL * 2;
        if is_recent || self.queue.count_waiting(until) > MAX_WAITING / 2 {
            return Ok(());
        }
        let limit = i64::try_from(MAX_WAITING).unwrap_or(i64::MAX);
        let rows = store::webhook_delivery::list_waiting(&self.pool, self.webhook.webhook_id, until, limit).await?;
        self.waiting_read_at = (rows.len() < MAX_WAITING).then_some(now);
        self.queue.extend_waiting(rows.iter().map(waiting_event).collect());
        Ok(())
    }

    /// Sends until stopped, or until the webhook is disabled. `folded` changes when events are folded.
    ///
    /// # Errors
    /// Those of the database. What was not stored is sent again.
    pub async fn run(
        mut self,
        mut folded: watch::Receiver<Vec<i64>>,
        stopped: CancellationToken,
    ) -> Result<(), sqlx::Error> {
        let mut attempts = JoinSet::new();
        self.fill_waiting(clock::now()).await?;
        while !stopped.is_cancelled() {
            self.fill(&mut folded, &stopped).await?;
            let now = clock::now();
            while let Some(event) = self.queue.begin_next(now) {
                attempts.spawn(self.attempt(event));
            }
            if attempts.is_empty() || now - self.saved_at >= SAVE_INTERVAL {
                self.save(now).await?;
                self.fill_waiting(now).await?;
            }
            if self.disabled(now).await? {
                return Ok(());
            }
            tokio::select! {
                () = stopped.cancelled() => {}
                Some(attempted) = attempts.join_next() => self.settle(attempted)?,
                // Without a sender, the service is stopping.
                _ = folded.changed(), if self.queue.room() > 0 => self.may_have_more = true,
                () = sleep(self.pause(now)) => {}
            }
            // Notices wake nobody.
            self.may_have_more |= clock::now() - self.read_at >= SAVE_INTERVAL;
        }
        let finish = async {
            while let Some(attempted) = attempts.join_next().await {
                self.settle(attempted)?;
            }
            Ok::<_, sqlx::Error>(())
        };
        let finished = timeout(STOP_TIMEOUT, finish).await;
        self.save(clock::now()).await?;
        finished.unwrap_or(Ok(()))
    }

    /// How long nothing is to be done, unless an attempt ends or events are folded.
    fn pause(&self, now: DateTime<Utc>) -> Duration {
        let due_in = self.queue.next_due_at(now).map_or(SAVE_INTERVAL, |due_at| (due_at - now).min(SAVE_INTERVAL));
        due_in.to_std().unwrap_or_default().max(Duration::from_millis(10))
    }

    /// Reads on until there is an event, if there is room.
    async fn fill(
        &mut self,
        folded: &mut watch::Receiver<Vec<i64>>,
        stopped: &CancellationToken,
    ) -> Result<(), sqlx::Error> {
        while self.may_have_more && !stopped.is_cancelled() {
            let room = self.queue.room();
            if room == 0 {
                return Ok(());
            }
            folded.borrow_and_update();
            let most = if room < MAX_FRESH / 2 { room } else { self.stride };
            let selection = &self.webhook.selection;
            let from = self.queue.read_to();
            let stretch = match self.webhook.kind {
                WebhookKind::Events => self.feed.read(selection, from, most).await?,
                WebhookKind::Relay => {
                    let domains = selection.domains.as_deref().unwrap_or_default();
                    self.feed.read_relayed(self.webhook.webhook_id, domains, from, most).await?
                }
            };
            let events = stretch.events.len();
            self.stride = if events > room { self.stride / 2 } else { self.stride * 2 }.clamp(MAX_FRESH, MAX_STRIDE);
            self.may_have_more = stretch.more;
            self.read_at = clock::now();
            self.bodies.extend(stretch.bodies);
            for settled in self.queue.extend(stretch.events, stretch.read_to) {
                self.bodies.remove(&settled.delivery_id);
            }
            if events > 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    fn attempt(&mut self, event: Event) -> impl Future<Output = Attempted> + Send + 'static {
        let body = self.bodies.get(&event.delivery_id).cloned();
        let webhook = Arc::clone(&self.webhook);
        let feed = self.feed.clone();
        let transport = self.transport.clone();
        async move {
            let content = match body {
                Some(body) => Ok(Some(Content::json(body))),
                None => webhook.read(&feed, &event).await,
            };
            let attempt = match content {
                Ok(Some(content)) => {
                    let attempt = webhook.send(&transport, event.delivery_id, event.replayed, content, clock::now());
                    Ok(Some(attempt.await))
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            Attempted { event, attempt }
        }
    }

    /// # Errors
    /// The event could not be read: the database fails, not the receiver.
    fn settle(&mut self, attempted: Result<Attempted, JoinError>) -> Result<(), sqlx::Error> {
        // A defect in an attempt ends the worker. Otherwise the event would stay in flight.
        let Attempted { event, attempt } = attempted.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        let attempt = attempt?;
        let now = clock::now();
        let took = attempt.as_ref().map(|attempt| attempt.took);
        let (outcome, status, error) = match attempt.map(|attempt| attempt.result) {
            None => (AttemptOutcome::Lost, None, Some("it is no longer kept".to_owned())),
            Some(Ok(Received { answer: Answer::Accepted, status, .. })) => {
                (AttemptOutcome::Delivered, Some(status), None)
            }
            Some(Ok(Received { answer: Answer::Gone, status, text })) => {
                self.gone = Some(DisabledReason::Gone);
                (AttemptOutcome::Rejected { retry_after: None }, Some(status), Some(told(status, &text)))
            }
            Some(Ok(Received { answer: Answer::Failed { overloaded, retry_after }, status, text })) => {
                let outcome = if overloaded {
                    AttemptOutcome::Unprocessed { retry_after }
                } else {
                    AttemptOutcome::Rejected { retry_after }
                };
                (outcome, Some(status), Some(told(status, &text)))
            }
            Some(Err(error)) => (AttemptOutcome::Unprocessed { retry_after: None }, None, Some(error.to_string())),
        };
        self.note_health(outcome, error.as_deref(), now);
        if let Some(took) = took {
            observe(self.webhook.kind, outcome, took);
        }
        match self.queue.settle(event.delivery_id, outcome, now, rand::random()) {
            None | Some(Settled::PutBack) => {}
            Some(Settled::Recorded { state, attempts, first_attempt_at, next_attempt_at }) => {
                self.bodies.remove(&event.delivery_id);
                let (shard, position) = event.place;
                let row = DeliveryRow {
                    webhook_id: self.webhook.webhook_id,
                    delivery_id: event.delivery_id,
                    event_type: event.event_type,
                    shard,
                    position,
                    stream_id: event.stream_id,
                    session_id: event.session_id,
                    recorded_at: event.recorded_at,
                    state,
                    replayed: event.replayed,
                    attempts: i32::try_from(attempts).unwrap_or(i32::MAX),
                    first_attempt_at,
                    last_attempt_at: now,
                    next_attempt_at,
                    last_status: status.and_then(|status| i16::try_from(status).ok()),
                    last_error: error,
                };
                self.results.insert(event.delivery_id, row);
            }
        }
        Ok(())
    }

    fn note_health(&mut self, outcome: AttemptOutcome, error: Option<&str>, now: DateTime<Utc>) {
        let health = &mut self.health;
        match outcome {
            AttemptOutcome::Delivered => {
                let last_success_at = Some(now);
                *health = HealthRow { last_success_at, failing_since: None, failed_attempts: 0, last_error: None };
            }
            AttemptOutcome::Rejected { .. } | AttemptOutcome::Unprocessed { .. } => {
                health.failing_since.get_or_insert(now);
                health.failed_attempts = health.failed_attempts.saturating_add(1);
                health.last_error = error.map(str::to_owned);
            }
            AttemptOutcome::Lost => {}
        }
        self.health_changed = true;
    }

    /// Stores results, the cursor and the receiver's health in one transaction.
    async fn save(&mut self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let cursor: Vec<_> = self.queue.cursor().collect();
        self.saved_at = now;
        if self.results.is_empty() && cursor == self.saved_cursor && !self.health_changed {
            return Ok(());
        }
        let OpenWebhook { webhook_id, version, kind, .. } = *self.webhook;
        let results: Vec<_> = self.results.values().cloned().collect();
        let mut transaction = self.pool.begin().await?;
        // What an administrator has changed meanwhile is for the next worker.
        let is_current = store::webhook::lock_version(&mut *transaction, webhook_id).await? == Some(version);
        store::webhook_delivery::upsert_deliveries(&mut *transaction, &results).await?;
        if kind == WebhookKind::Relay {
            let delivered = results.iter().filter(|row| row.state == DeliveryState::Delivered);
            let delivered: Vec<Uuid> = delivered.map(|row| row.delivery_id).collect();
            store::relay::delete_bodies(&mut *transaction, webhook_id, &delivered).await?;
        }
        if is_current {
            let rows: Vec<_> = cursor.iter().map(|&(shard, position)| CursorRow { shard, position }).collect();
            store::webhook::upsert_cursor(&mut *transaction, webhook_id, &rows).await?;
            store::webhook::update_health(&mut *transaction, webhook_id, &self.health).await?;
        }
        transaction.commit().await?;
        self.results.clear();
        self.saved_cursor = cursor;
        self.health_changed = false;
        Ok(())
    }

    /// Disables the webhook if its receiver is gone, or has failed for long.
    async fn disabled(&mut self, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        let has_failed_for_long = self.health.failed_attempts >= DISABLE_AFTER_ATTEMPTS
            && self.health.failing_since.is_some_and(|since| now - since >= DISABLE_AFTER);
        let reason = self.gone.or(has_failed_for_long.then_some(DisabledReason::Failing));
        let Some(reason) = reason else { return Ok(false) };
        self.save(now).await?;
        let OpenWebhook { webhook_id, version, .. } = *self.webhook;
        if admin::disable(&self.pool, webhook_id, version, reason, now).await? {
            tracing::error!(%webhook_id, %reason, "a webhook was disabled: repair its receiver, then enable it");
        }
        Ok(true)
    }
}

/// Reports an attempt as a metric.
fn observe(kind: WebhookKind, outcome: AttemptOutcome, took: Duration) {
    let label = match outcome {
        AttemptOutcome::Delivered => DELIVERED,
        AttemptOutcome::Rejected { .. } => REJECTED,
        AttemptOutcome::Unprocessed { .. } => UNPROCESSED,
        // Nothing was attempted.
        AttemptOutcome::Lost => return,
    };
    WEBHOOK_ATTEMPT_SECONDS.histogram_of(&[("kind", kind.as_str()), ("outcome", label)]).record(took);
}

/// Exports the metric before the first attempt.
pub fn register_metrics() {
    for kind in WebhookKind::ALL {
        for label in [DELIVERED, REJECTED, UNPROCESSED] {
            drop(WEBHOOK_ATTEMPT_SECONDS.histogram_of(&[("kind", kind.as_str()), ("outcome", label)]));
        }
    }
}

/// A failed response, for administrators. It comes from outside.
fn told(status: u16, text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let text = text.trim();
    if text.is_empty() { format!("status {status}") } else { format!("status {status}: {text}") }
}

fn waiting_event(row: &DeliveryRow) -> WaitingEvent {
    WaitingEvent {
        event: Event {
            delivery_id: row.delivery_id,
            event_type: row.event_type,
            place: (row.shard, row.position),
            recorded_at: row.recorded_at,
            stream_id: row.stream_id,
            session_id: row.session_id,
            replayed: row.replayed,
        },
        attempts: usize::try_from(row.attempts).unwrap_or_default(),
        first_attempt_at: row.first_attempt_at,
        next_attempt_at: row.next_attempt_at.unwrap_or(row.last_attempt_at),
    }
}
