//! Deliveries that webhooks have attempted.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::column;
use crate::model::webhook::{DeliveryState, WebhookEventType};

/// One event's delivery to one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    pub webhook_id: Uuid,
    /// The same in all attempts; the receiver sees it.
    pub delivery_id: Uuid,
    pub event_type: WebhookEventType,
    /// Of the event of the log; [`super::webhook::NOTICES`] for a notice.
    pub shard: i16,
    pub position: i64,
    /// `None` for a notice.
    pub stream_id: Option<Uuid>,
    /// `None` for a notice.
    pub session_id: Option<Uuid>,
    pub recorded_at: DateTime<Utc>,
    pub state: DeliveryState,
    /// Whether someone asked for it to be sent again; `attempts` counts from then on.
    pub replayed: bool,
    pub attempts: i32,
    /// When it was first attempted, or someone asked for it.
    pub first_attempt_at: DateTime<Utc>,
    pub last_attempt_at: DateTime<Utc>,
    /// `None` unless it waits.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Status of the last response; `None` if there was none.
    pub last_status: Option<i16>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// Records the results of attempts.
pub async fn upsert_deliveries(executor: impl PgExecutor<'_>, rows: &[DeliveryRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"insert into webhook_delivery (
             webhook_id, delivery_id, event_type, shard, "position", stream_id, session_id, recorded_at, state,
             replayed, attempts, first_attempt_at, last_attempt_at, next_attempt_at, last_status, last_error)
         select * from unnest(
             $1::uuid[], $2::uuid[], $3::text[], $4::smallint[], $5::bigint[], $6::uuid[], $7::uuid[],
             $8::timestamptz[], $9::text[], $10::boolean[], $11::integer[], $12::timestamptz[], $13::timestamptz[],
             $14::timestamptz[], $15::smallint[], $16::text[])
         on conflict (webhook_id, delivery_id) do update
         -- Someone may have asked for it since it was attempted.
         set state = excluded.state, replayed = excluded.replayed, attempts = excluded.attempts,
             first_attempt_at = excluded.first_attempt_at, last_attempt_at = excluded.last_attempt_at,
             next_attempt_at = excluded.next_attempt_at, last_status = excluded.last_status,
             last_error = excluded.last_error
         where excluded.last_attempt_at >= webhook_delivery.last_attempt_at"#,
        &column(rows, |row| row.webhook_id),
        &column(rows, |row| row.delivery_id),
        &column(rows, |row| row.event_type) as _,
        &column(rows, |row| row.shard),
        &column(rows, |row| row.position),
        &column(rows, |row| row.stream_id) as _,
        &column(rows, |row| row.session_id) as _,
        &column(rows, |row| row.recorded_at),
        &column(rows, |row| row.state) as _,
        &column(rows, |row| row.replayed),
        &column(rows, |row| row.attempts),
        &column(rows, |row| row.first_attempt_at),
        &column(rows, |row| row.last_attempt_at),
        &column(rows, |row| row.next_attempt_at) as _,
        &column(rows, |row| row.last_status) as _,
        &column(rows, |row| row.last_error.as_deref()) as _
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The deliveries of a webhook that wait for an attempt until a time, the next one first, at most `limit`.
pub async fn list_waiting(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    sqlx::query_as!(
        DeliveryRow,
        r#"select webhook_id, delivery_id, event_type, shard, "position", stream_id, session_id, recorded_at, state,
               replayed, attempts, first_attempt_at, last_attempt_at, next_attempt_at, last_status, last_error
           from webhook_delivery
           where webhook_id = $1 and state = 'waiting' and next_attempt_at <= $2
           order by next_attempt_at
           limit $3"#,
        webhook_id,
        until,
        limit
    )
    .fetch_all(executor)
    .await
}

/// The events after a webhook's cursor that are settled.
pub async fn list_beyond_cursor(executor: impl PgExecutor<'_>, webhook_id: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select delivery.delivery_id
           from webhook_cursor cursor
           join webhook_delivery delivery on delivery.webhook_id = cursor.webhook_id and delivery.shard = cursor.shard
               and delivery."position" > cursor."position"
           where cursor.webhook_id = $1"#,
        webhook_id
    )
    .fetch_all(executor)
    .await
}

/// Lets the deliveries of a webhook that wait be attempted at once.
pub async fn make_due(executor: impl PgExecutor<'_>, webhook_id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhook_delivery set next_attempt_at = $2
         where webhook_id = $1 and state = 'waiting' and next_attempt_at > $2",
        webhook_id,
        now
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The place of a delivery in their list.
pub type Place = (DateTime<Utc>, Uuid);

/// The deliveries of a webhook that match, the last attempted first, before a place, at most `limit`.
pub async fn list_deliveries(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    state: Option<DeliveryState>,
    session_id: Option<Uuid>,
    before: Option<Place>,
    limit: i64,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    let (before_at, before_id) = before.unzip();
    sqlx::query_as!(
        DeliveryRow,
        r#"select webhook_id, delivery_id, event_type, shard, "position", stream_id, session_id, recorded_at, state,
               replayed, attempts, first_attempt_at, last_attempt_at, next_attempt_at, last_status, last_error
           from webhook_delivery
           where webhook_id = $1
             and ($2::text is null or state = $2)
             and ($3::uuid is null or session_id = $3)
             and (last_attempt_at, delivery_id) < (coalesce($4::timestamptz, 'infinity'), coalesce($5::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by last_attempt_at desc, delivery_id desc
           limit $6"#,
        webhook_id,
        state.map(DeliveryState::as_str),
        session_id,
        before_at,
        before_id,
        limit
    )
    .fetch_all(executor)
    .await
}

/// Which recorded deliveries are sent again.
#[derive(Debug, Clone, Default)]
pub struct ReplayFilter {
    /// `None`: any.
    pub delivery_ids: Option<Vec<Uuid>>,
    pub session_id: Option<Uuid>,
    /// Events that were recorded in this period.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The deliveries of a webhook that match and that have failed, or all of them, at most `limit`.
pub async fn list_deliveries_to_replay(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    filter: &ReplayFilter,
    only_failed: bool,
    limit: i64,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    let (from, to) = filter.period.unzip();
    sqlx::query_as!(
        DeliveryRow,
        r#"select webhook_id, delivery_id, event_type, shard, "position", stream_id, session_id, recorded_at, state,
               replayed, attempts, first_attempt_at, last_attempt_at, next_attempt_at, last_status, last_error
           from webhook_delivery
           where webhook_id = $1
             and ($2::uuid[] is null or delivery_id = any ($2))
             and ($3::uuid is null or session_id = $3)
             and ($4::timestamptz is null or recorded_at >= $4)
             and ($5::timestamptz is null or recorded_at < $5)
             and (not $6::boolean or state in ('waiting', 'dead'))
           limit $7"#,
        webhook_id,
        filter.delivery_ids.as_deref(),
        filter.session_id,
        from,
        to,
        only_failed,
        limit
    )
    .fetch_all(executor)
    .await
}

/// Deletes deliveries that were last attempted before a time and do not wait, at most `limit`. Returns how many.
/// `failed_before` is the earlier time.
pub async fn delete_deliveries(
    executor: impl PgExecutor<'_>,
    delivered_before: DateTime<Utc>,
    failed_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "delete from webhook_delivery
         where (webhook_id, delivery_id) in (
             select webhook_id, delivery_id from webhook_delivery
             where last_attempt_at < $1 and (state = 'delivered' or state = 'dead' and last_attempt_at < $2)
             limit $3)",
        delivered_before,
        failed_before,
        limit
    )
    .execute(executor)
    .await?;
    Ok(deleted.rows_affected())
}

/// Deletes the deliveries of a webhook that succeeded, but for the newest ones; at most `limit`. Returns how many.
pub async fn delete_delivered_beyond(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    newest: i64,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "delete from webhook_delivery
         where webhook_id = $1
           and delivery_id in (
               select delivery_id from webhook_delivery
               where webhook_id = $1 and state = 'delivered'
               order by last_attempt_at desc, delivery_id desc
               offset $2 limit $3)",
        webhook_id,
        newest,
        limit
    )
    .execute(executor)
    .await?;
    Ok(deleted.rows_affected())
}
