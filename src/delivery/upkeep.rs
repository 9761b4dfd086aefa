//! What senders do from time to time: write notices, and delete what is no longer needed.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::lag::{self, WebhookStatus};
use super::notices::{self, write_notices};
use crate::model::webhook::{GapReason, WebhookState};
use crate::store;
use crate::store::relay::DroppedRow;
use crate::telemetry::metrics::{RELAY_BYTES, RELAY_CAPACITY_BYTES, RELAY_DROPPED, WEBHOOK_LAG_SECONDS, WEBHOOKS};

/// For how long deliveries are kept in their list.
const KEEP_DELIVERED: TimeDelta = TimeDelta::days(7);
const KEEP_FAILED: TimeDelta = TimeDelta::days(30);

/// For how long notices are kept.
const KEEP_NOTICES: TimeDelta = TimeDelta::days(30);

/// How many rows are deleted at once.
const CHUNK: i64 = 10_000;

/// The most delivered events of a webhook that are kept.
const MAX_DELIVERED: i64 = 10_000;

/// The most bodies that are dropped in one round for lack of space.
const MAX_DROPPED: i64 = 100_000;

/// How much of the bodies is read to estimate their size.
const SAMPLED_BYTES: f32 = 8_388_608.0;

/// The settings of upkeep.
#[derive(Debug, Clone, Copy)]
pub struct UpkeepPolicy {
    pub unconfirmed_after: TimeDelta,
    /// For how long a callback is kept for its relays.
    pub keep_bodies: TimeDelta,
    /// The most bytes of callbacks that are kept for their relays.
    pub body_capacity_bytes: i64,
}

/// Does all of it once, also what comes after something that failed.
///
/// # Errors
/// The first of the database's errors.
pub async fn keep_up(pool: &PgPool, policy: &UpkeepPolicy, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let statuses = lag::list_statuses(pool).await?;
    let dropped = drop_bodies(pool, policy, &statuses, now).await;
    let deleted = delete_deliveries(pool, now).await;
    let forgotten = store::notice::delete_notices_before(pool, now - KEEP_NOTICES).await;
    let noticed = if statuses.is_empty() { Ok(()) } else { write_notices(pool, policy.unconfirmed_after, now).await };
    let reported = report(pool, policy, &statuses, now).await;
    [dropped, deleted, forgotten, noticed, reported].into_iter().collect()
}

/// Deletes the bodies that were kept for too long, then those for which there is no space.
async fn drop_bodies(
    pool: &PgPool,
    policy: &UpkeepPolicy,
    statuses: &[WebhookStatus],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let is_behind = |status: &&WebhookStatus| status.oldest_unsent_at.is_some();
    let behind: Vec<Uuid> = statuses.iter().filter(is_behind).map(|status| status.row.webhook_id).collect();
    loop {
        let expired = store::relay::delete_oldest(pool, now - policy.keep_bodies, CHUNK, &behind).await?;
        note_dropped(pool, expired, GapReason::RelayKeep, now).await?;
        if expired.deleted < CHUNK {
            break;
        }
    }
    let mut excess = count_excess(pool, policy.body_capacity_bytes).await?;
    while excess > 0 {
        let dropped = store::relay::delete_oldest(pool, now, excess.min(CHUNK), &behind).await?;
        note_dropped(pool, dropped, GapReason::RelayCapacity, now).await?;
        excess = if dropped.deleted > 0 { excess - dropped.deleted } else { 0 };
    }
    Ok(())
}

async fn delete_deliveries(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let chunk = u64::try_from(CHUNK).unwrap_or(u64::MAX);
    let (delivered, failed) = (now - KEEP_DELIVERED, now - KEEP_FAILED);
    while store::webhook_delivery::delete_deliveries(pool, delivered, failed, CHUNK).await? >= chunk {}
    for webhook in store::webhook::list_webhooks(pool).await? {
        let id = webhook.webhook_id;
        while store::webhook_delivery::delete_delivered_beyond(pool, id, MAX_DELIVERED, CHUNK).await? >= chunk {}
    }
    Ok(())
}

/// How many bodies are above the capacity, at most [`MAX_DROPPED`].
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an estimate")]
async fn count_excess(pool: &PgPool, capacity: i64) -> Result<i64, sqlx::Error> {
    let size = store::relay::get_size(pool).await?;
    if size <= capacity {
        return Ok(0);
    }
    // Deleted bodies leave space behind, so those that exist are estimated.
    let percent = (100.0 * SAMPLED_BYTES / size as f32).min(100.0);
    let sample = store::relay::sample(pool, percent).await?;
    let bytes = sample.bytes as f32 * 100.0 / percent;
    let bodies = sample.bodies as f32 * 100.0 / percent;
    let excess = bodies * (1.0 - capacity as f32 / bytes.max(1.0));
    Ok((excess.ceil() as i64).clamp(0, MAX_DROPPED))
}

/// Tells of callbacks that were deleted before they were relayed.
async fn note_dropped(
    pool: &PgPool,
    dropped: DroppedRow,
    reason: GapReason,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if dropped.undelivered == 0 {
        return Ok(());
    }
    RELAY_DROPPED.counter_of(&[("reason", reason.as_str())]).increment(dropped.undelivered.unsigned_abs());
    tracing::error!(
        callbacks = dropped.undelivered,
        %reason,
        "callbacks were not relayed in time, and are deleted: check the receivers of the relays"
    );
    let mut transaction = pool.begin().await?;
    notices::write(&mut transaction, &[notices::not_relayed(reason, dropped)], now).await?;
    transaction.commit().await
}

/// Exports the metrics before there is something to report.
pub fn register_metrics() {
    for state in WebhookState::ALL {
        WEBHOOKS.gauge_of(&[("state", state.as_str())]).set(0.0);
    }
    for gauge in [WEBHOOK_LAG_SECONDS, RELAY_BYTES, RELAY_CAPACITY_BYTES] {
        gauge.gauge_of(&[]).set(0.0);
    }
    for reason in [GapReason::RelayKeep, GapReason::RelayCapacity] {
        RELAY_DROPPED.counter_of(&[("reason", reason.as_str())]).increment(0);
    }
}

/// Reports the state of the webhooks as metrics.
#[expect(clippy::cast_precision_loss, reason = "counts and sizes are far below 2^52")]
async fn report(
    pool: &PgPool,
    policy: &UpkeepPolicy,
    statuses: &[WebhookStatus],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let size = store::relay::get_size(pool).await?;
    for state in WebhookState::ALL {
        let count = statuses.iter().filter(|status| status.row.state == *state).count();
        WEBHOOKS.gauge_of(&[("state", state.as_str())]).set(count as f64);
    }
    let oldest = statuses.iter().filter_map(|status| status.oldest_unsent_at).min();
    let lag = oldest.map_or(TimeDelta::zero(), |oldest| (now - oldest).max(TimeDelta::zero()));
    WEBHOOK_LAG_SECONDS.gauge_of(&[]).set(lag.as_seconds_f64());
    RELAY_BYTES.gauge_of(&[]).set(size as f64);
    RELAY_CAPACITY_BYTES.gauge_of(&[]).set(policy.body_capacity_bytes as f64);
    Ok(())
}
