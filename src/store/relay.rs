//! Bodies of callbacks that are relayed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::column;

/// The encrypted body of a callback.
#[derive(Clone, Serialize, Deserialize)]
pub struct SealedBody {
    /// The webhooks that relay it.
    pub webhook_ids: Vec<Uuid>,
    pub domain: String,
    pub content_type: Option<String>,
    #[serde(with = "base64_text")]
    pub sealed: Vec<u8>,
}

/// A body to store for one relay.
pub struct NewRelayBody<'a> {
    pub webhook_id: Uuid,
    pub event_id: Uuid,
    pub received_at: DateTime<Utc>,
    pub body: &'a SealedBody,
}

/// Stores bodies. The caller appends their events afterwards. With `by_next_commit`, bodies become durable only with that: its
/// commit on the same server waits for the disk, so this one need not.
pub async fn insert_bodies(
    executor: impl PgExecutor<'_>,
    bodies: &[NewRelayBody<'_>],
    by_next_commit: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with setting as materialized (
             select set_config('synchronous_commit',
                 case when $7 then 'off' else current_setting('synchronous_commit') end, true))
         insert into relay_body (webhook_id, event_id, domain, received_at, content_type, sealed_body)
         select body.*
         from setting, unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::bytea[]) as body
         on conflict do nothing",
        &column(bodies, |row| row.webhook_id),
        &column(bodies, |row| row.event_id),
        &column(bodies, |row| row.body.domain.as_str()) as _,
        &column(bodies, |row| row.received_at),
        &column(bodies, |row| row.body.content_type.as_deref()) as _,
        &column(bodies, |row| row.body.sealed.as_slice()) as _,
        by_next_commit
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// An encrypted body, as it is read.
pub struct SealedBodyRow {
    pub domain: String,
    pub content_type: Option<String>,
    pub sealed: Vec<u8>,
}

/// The body of an event for a relay; `None` if it is deleted.
pub async fn get_body(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    event_id: Uuid,
) -> Result<Option<SealedBodyRow>, sqlx::Error> {
    sqlx::query_as!(
        SealedBodyRow,
        "select domain, content_type, sealed_body as sealed from relay_body where webhook_id = $1 and event_id = $2",
        webhook_id,
        event_id
    )
    .fetch_optional(executor)
    .await
}

/// Of these events, those whose bodies are kept for a relay.
pub async fn list_kept(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    event_ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select event_id from relay_body where webhook_id = $1 and event_id = any ($2)",
        webhook_id,
        event_ids
    )
    .fetch_all(executor)
    .await
}

/// An event of the log to relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayedEventRow {
    pub shard: i16,
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    pub event_id: Uuid,
    pub session_id: Uuid,
}

/// The callbacks of domains after positions `from` up to `to` (one position for each shard), in order. Callbacks that were
/// rejected when they arrived, and admitted later, are left out: they have no body.
pub async fn list_relayed_events(
    executor: impl PgExecutor<'_>,
    domains: &[String],
    from: &[i64],
    to: &[i64],
) -> Result<Vec<RelayedEventRow>, sqlx::Error> {
    let shards: Vec<i16> = (0..).take(from.len()).collect();
    sqlx::query_as!(
        RelayedEventRow,
        r#"select entry.shard, entry."position", entry.recorded_at, entry.event_id, entry.session_id
           from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as stretch (shard, after_position, to_position)
           join log_entry entry on entry.shard = stretch.shard
               and entry."position" > stretch.after_position and entry."position" <= stretch.to_position
           where entry.origin = 'provider' and not entry.retried and entry.domain = any ($4)
           order by entry.recorded_at, entry.shard, entry."position""#,
        &shards,
        from,
        to,
        domains
    )
    .fetch_all(executor)
    .await
}

/// Deletes bodies that a relay has delivered.
pub async fn delete_bodies(
    executor: impl PgExecutor<'_>,
    webhook_id: Uuid,
    event_ids: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from relay_body where webhook_id = $1 and event_id = any ($2)", webhook_id, event_ids)
        .execute(executor)
        .await?;
    Ok(())
}

/// Bodies that were deleted, and how many of them a relay has failed to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedRow {
    pub deleted: i64,
    pub undelivered: i64,
    /// Of those not delivered. None: any time.
    pub last_received_at: DateTime<Utc>,
}

/// Deletes the oldest bodies that were received before a time, at most `limit`. They were to be delivered if their relay is
/// `behind` the log, or has tried to deliver them; others have no event: a failed append left them behind.
pub async fn delete_oldest(
    executor: impl PgExecutor<'_>,
    received_before: DateTime<Utc>,
    limit: i64,
    behind: &[Uuid],
) -> Result<DroppedRow, sqlx::Error> {
    sqlx::query_as!(
        DroppedRow,
        r#"with deleted as (
               delete from relay_body
               where (webhook_id, event_id) in (
                   select webhook_id, event_id from relay_body where received_at < $1 order by received_at limit $2)
               returning webhook_id, event_id, received_at
           ), judged as (
               select received_at,
                   exists (
                       select from webhook
                       where webhook.webhook_id = deleted.webhook_id and state = 'enabled'
                         and (webhook.webhook_id = any ($3) or exists (
                             select from webhook_delivery delivery
                             where delivery.webhook_id = deleted.webhook_id
                               and delivery.delivery_id = deleted.event_id))) as was_due
               from deleted
           )
           select count(*) as "deleted!", count(*) filter (where was_due) as "undelivered!",
               coalesce(max(received_at) filter (where was_due), 'epoch') as "last_received_at!"
           from judged"#,
        received_before,
        limit,
        behind
    )
    .fetch_one(executor)
    .await
}

/// Space of the bodies on disk. It does not shrink when they are deleted: it is used again.
pub async fn get_size(executor: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_table_size('relay_body') as "size!""#).fetch_one(executor).await
}

/// Bodies in a part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleRow {
    pub bodies: i64,
    pub bytes: i64,
}

/// Counts the bodies in some percent of the table's pages.
pub async fn sample(executor: impl PgExecutor<'_>, percent: f32) -> Result<SampleRow, sqlx::Error> {
    sqlx::query_as!(
        SampleRow,
        r#"select count(*) as "bodies!", coalesce(sum(octet_length(sealed_body) + 200), 0)::bigint as "bytes!"
           from relay_body tablesample system ($1)"#,
        percent
    )
    .fetch_one(executor)
    .await
}

/// A domain whose callbacks are relayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayedDomainRow {
    pub domain: String,
    pub webhook_id: Uuid,
}

/// The domains of each enabled relay.
pub async fn list_relayed_domains(executor: impl PgExecutor<'_>) -> Result<Vec<RelayedDomainRow>, sqlx::Error> {
    sqlx::query_as!(
        RelayedDomainRow,
        r#"select unnest(domains) as "domain!", webhook_id from webhook
           where kind = 'relay' and state = 'enabled'
           order by 1, 2"#
    )
    .fetch_all(executor)
    .await
}

/// Bytes as base64, which is shorter in JSON than a list of numbers.
mod base64_text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
