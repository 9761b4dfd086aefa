//! Webhooks and their cursors.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::column;
use crate::model::session::Renditions;
use crate::model::webhook::{DisabledReason, WebhookEventType, WebhookKind, WebhookState};

/// The place of notices among the shards of a webhook's cursor.
pub const NOTICES: i16 = -1;

/// A webhook.
#[derive(Clone)]
pub struct WebhookRow {
    pub webhook_id: Uuid,
    pub name: String,
    pub kind: WebhookKind,
    pub url: String,
    /// `None`: all types.
    pub event_types: Option<Vec<WebhookEventType>>,
    /// `None`: all domains.
    pub domains: Option<Vec<String>>,
    /// `None`: all apps.
    pub apps: Option<Vec<String>>,
    pub renditions: Renditions,
    /// Whether events contain personal fields.
    pub personal: bool,
    pub sealed_secret: Vec<u8>,
    /// The secret before the last rotation, which signs until `secret_before_until`.
    pub sealed_secret_before: Option<Vec<u8>>,
    pub secret_before_until: Option<DateTime<Utc>>,
    /// Further headers, as a JSON object.
    pub sealed_headers: Option<Vec<u8>>,
    pub state: WebhookState,
    pub disabled_reason: Option<DisabledReason>,
    /// When the first attempt failed since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    pub failed_attempts: i32,
    pub last_success_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Counts changes of what a sender has loaded.
    pub version: i32,
}

/// All webhooks, oldest first.
pub async fn list_webhooks(executor: impl PgExecutor<'_>) -> Result<Vec<WebhookRow>, sqlx::Error> {
    sqlx::query_as!(
        WebhookRow,
        "select webhook_id, name, kind, url, event_types, domains, apps, renditions, personal, sealed_secret,
             sealed_secret_before, secret_before_until, sealed_headers, state, disabled_reason, failing_since,
             failed_attempts, last_success_at, last_error, created_at, updated_at, version
         from webhook
         order by created_at, webhook_id"
    )
    .fetch_all(executor)
    .await
}

/// Inserts a webhook without a cursor.
pub async fn insert_webhook(executor: impl PgExecutor<'_>, row: &WebhookRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into webhook (
             webhook_id, name, kind, url, event_types, domains, apps, renditions, personal, sealed_secret, sealed_headers,
             state, disabled_reason, failed_attempts, created_at, updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, 0)",
        row.webhook_id,
        row.name,
        row.kind as _,
        row.url,
        row.event_types.as_deref() as _,
        row.domains.as_deref(),
        row.apps.as_deref(),
        row.renditions as _,
        row.personal,
        row.sealed_secret,
        row.sealed_headers,
        row.state as _,
        row.disabled_reason as _,
        row.created_at,
        row.updated_at
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Changes the settings of a webhook, and forgets its failures: it is attempted at once. False when there is none.
pub async fn update_webhook(executor: impl PgExecutor<'_>, row: &WebhookRow) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query!(
        "update webhook
         set name = $2, url = $3, event_types = $4, domains = $5, apps = $6, renditions = $7, personal = $8,
             sealed_secret = $9, sealed_secret_before = $10, secret_before_until = $11, sealed_headers = $12, state = $13,
             disabled_reason = $14, failing_since = null, failed_attempts = 0, last_error = null, updated_at = $15,
             version = version + 1
         where webhook_id = $1",
        row.webhook_id,
        row.name,
        row.url,
        row.event_types.as_deref() as _,
        row.domains.as_deref(),
        row.apps.as_deref(),
        row.renditions as _,
        row.personal,
        row.sealed_secret,
        row.sealed_secret_before,
        row.secret_before_until,
        row.sealed_headers,
        row.state as _,
        row.disabled_reason as _,
        row.updated_at
    )
    .execute(executor)
    .await?;
    Ok(updated.rows_affected() > 0)
}

/// Lets the sender load the webhook again.
pub async fn bump_version(executor: impl PgExecutor<'_>, webhook_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("update webhook set version = version + 1 where webhook_id = $1", webhook_id)
        .execute(executor)
        .await?;
    Ok(())
}

/// Replaces what is encrypted.
pub async fn update_sealed(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    secret: &[u8],
    secret_before: Option<&[u8]>,
    headers: Option<&[u8]>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhook set sealed_secret = $2, sealed_secret_before = $3, sealed_headers = $4 where webhook_id = $1",
        webhook_id,
        secret,
        secret_before,
        headers
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Deletes a webhook with its cursor and deliveries. False when there is none. The bodies of a relay stay.
pub async fn delete_webhook(executor: impl PgExecutor<'_>, webhook_id: Uuid) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query!("delete from webhook where webhook_id = $1", webhook_id).execute(executor).await?;
    Ok(deleted.rows_affected() > 0)
}

/// What attempts have shown of a webhook's receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthRow {
    pub failing_since: Option<DateTime<Utc>>,
    pub failed_attempts: i32,
    pub last_success_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// The version of a webhook, which does not change until the transaction ends; `None` if there is no such webhook.
pub async fn lock_version(executor: impl PgExecutor<'_>, webhook_id: Uuid) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar!("select version from webhook where webhook_id = $1 for no key update", webhook_id)
        .fetch_optional(executor)
        .await
}

/// Records what attempts have shown.
pub async fn update_health(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    health: &HealthRow,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhook
         set failing_since = $2, failed_attempts = $3, last_success_at = coalesce($4, last_success_at), last_error = $5
         where webhook_id = $1",
        webhook_id,
        health.failing_since,
        health.failed_attempts,
        health.last_success_at,
        health.last_error
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Disables a webhook that is enabled and has this version. False when there is none.
pub async fn disable_webhook(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    version: i32,
    reason: DisabledReason,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let disabled = sqlx::query!(
        "update webhook set state = 'disabled', disabled_reason = $3, updated_at = $4, version = version + 1
         where webhook_id = $1 and version = $2 and state = 'enabled'",
        webhook_id,
        version,
        reason as _,
        now
    )
    .execute(executor)
    .await?;
    Ok(disabled.rows_affected() > 0)
}

/// The positions up to which a webhook has settled what it sends: those of the shards, and that of the notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorRow {
    pub shard: i16,
    pub position: i64,
}

/// A webhook's cursor, notices first, then by shard.
pub async fn list_cursor(executor: impl PgExecutor<'_>, webhook_id: Uuid) -> Result<Vec<CursorRow>, sqlx::Error> {
    sqlx::query_as!(
        CursorRow,
        r#"select shard, "position" from webhook_cursor where webhook_id = $1 order by shard"#,
        webhook_id
    )
    .fetch_all(executor)
    .await
}

/// A place of a webhook's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookPlaceRow {
    pub webhook_id: Uuid,
    pub shard: i16,
    pub position: i64,
}

/// The cursors of all enabled webhooks.
pub async fn list_cursors(executor: impl PgExecutor<'_>) -> Result<Vec<WebhookPlaceRow>, sqlx::Error> {
    sqlx::query_as!(
        WebhookPlaceRow,
        r#"select webhook_id, cursor.shard, cursor."position"
           from webhook_cursor cursor join webhook using (webhook_id)
           where state = 'enabled'"#
    )
    .fetch_all(executor)
    .await
}

/// When a webhook's next event was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextEventRow {
    pub webhook_id: Uuid,
    pub recorded_at: DateTime<Utc>,
}

/// The time of the oldest event of the log after each webhook's cursor. Positions have no gaps, so it is at the next one.
pub async fn list_next_events(
    executor: impl PgExecutor<'_>,
    cursors: &[WebhookPlaceRow],
) -> Result<Vec<NextEventRow>, sqlx::Error> {
    sqlx::query_as!(
        NextEventRow,
        r#"select place.webhook_id as "webhook_id!", min(entry.recorded_at) as "recorded_at!"
           from unnest($1::uuid[], $2::smallint[], $3::bigint[]) as place (webhook_id, shard, next_position)
           join log_entry entry on entry.shard = place.shard and entry."position" = place.next_position
           group by place.webhook_id"#,
        &column(cursors, |place| place.webhook_id),
        &column(cursors, |place| place.shard),
        &column(cursors, |place| place.position + 1)
    )
    .fetch_all(executor)
    .await
}

/// Sets a webhook's cursor.
pub async fn upsert_cursor(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    cursor: &[CursorRow],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"insert into webhook_cursor (webhook_id, shard, "position")
           select $1, * from unnest($2::smallint[], $3::bigint[])
           on conflict (webhook_id, shard) do update set "position" = excluded."position""#,
        webhook_id,
        &column(cursor, |place| place.shard),
        &column(cursor, |place| place.position)
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The position of each shard's last event, by shard.
pub async fn list_heads(executor: impl PgExecutor<'_>) -> Result<Vec<CursorRow>, sqlx::Error> {
    sqlx::query_as!(CursorRow, r#"select shard, "position" from shard_head order by shard"#).fetch_all(executor).await
}

/// The position of each shard's last event before a time, by shard; the horizon's, if the log begins later.
pub async fn list_positions_before(
    executor: impl PgExecutor<'_>,
    time: DateTime<Utc>,
) -> Result<Vec<CursorRow>, sqlx::Error> {
    sqlx::query_as!(
        CursorRow,
        r#"select head.shard, coalesce(first."position" - 1, head."position") as "position!"
           from shard_head head
           left join lateral (
               select "position" from log_entry entry
               where entry.shard = head.shard and entry.recorded_at >= $1
               order by entry.recorded_at, entry."position"
               limit 1
           ) first on true
           order by head.shard"#,
        time
    )
    .fetch_all(executor)
    .await
}

/// Locks a webhook for as long as the connection lasts, so that one process sends it. False when another holds it.
pub async fn try_lock_webhook(executor: impl PgExecutor<'_>, webhook_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_lock(hashtextextended('streamtally: webhook ' || $1::uuid, 0)) as "locked!""#,
        webhook_id
    )
    .fetch_one(executor)
    .await
}

pub async fn unlock_webhook(executor: impl PgExecutor<'_>, webhook_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"select pg_advisory_unlock(hashtextextended('streamtally: webhook ' || $1::uuid, 0)) as "unlocked!""#,
        webhook_id
    )
    .fetch_one(executor)
    .await?;
    Ok(())
}
