//! Complete events of the log, for export and import.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

use super::fold::ProgressRow;
use crate::model::event::{AlteredMember, Disposition, Origin, QuarantineReason, Signature};

/// An event with all its fields. As JSON it is a line of an export.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedEntryRow {
    pub shard: i16,
    /// Its position in the shard's log, from 1, without gaps.
    pub position: i64,
    /// The database's clock when it was appended; grows with the position.
    pub recorded_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
    pub event_id: Uuid,
    pub session_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    /// `provider`, `inference` or `operator`.
    pub origin: Origin,
    pub event: String,
    /// `accepted`, `quarantined` or `released`.
    pub disposition: Disposition,
    pub reason: Option<QuarantineReason>,
    /// `verified` or `unsigned`; absent unless the provider sent it.
    pub signature: Option<Signature>,
    pub key_id: Option<Uuid>,
    /// Unix second at which the signature expires.
    pub auth_timestamp: Option<i64>,
    /// The signature, 64 hexadecimal digits.
    pub auth_sign: Option<String>,
    /// It is the first event of its session that uses its signature.
    #[serde(default)]
    pub is_first_use: bool,
    /// The session that used the signature first, if this event is accepted nevertheless.
    pub signature_shared_with: Option<Uuid>,
    pub client_ip: Option<String>,
    pub node_ip: Option<String>,
    pub source_ip: Option<String>,
    /// Query string of the push URL, masked.
    pub user_args: Option<String>,
    pub rendition_template: Option<String>,
    pub extra: Option<Value>,
    /// The unsigned members that were changed when they were stored.
    pub altered: Option<Vec<AlteredMember>>,
    /// It was rejected when it arrived, kept, and admitted later.
    #[serde(default)]
    pub retried: bool,
    /// Addresses or `user_args` existed, and are redacted.
    #[serde(default)]
    pub blanked: bool,
    pub ended_at: Option<DateTime<Utc>>,
    pub actor: Option<String>,
    pub note: Option<String>,
    pub original_event_id: Option<Uuid>,
    pub original_event: Option<String>,
    /// For a release: when the quarantined callback arrived.
    pub original_received_at: Option<DateTime<Utc>>,
}

/// The events of a shard after one, up to a position, in order, at most `limit`.
///
/// The recorded time of the event before them excludes older months from the search.
pub async fn list_recorded_entries(
    executor: impl PgExecutor<'_>,
    after: ProgressRow,
    to_position: i64,
    limit: i64,
) -> Result<Vec<RecordedEntryRow>, sqlx::Error> {
    sqlx::query_as!(
        RecordedEntryRow,
        r#"select shard, position, recorded_at, received_at, event_id, session_id, domain, app, stream, publish_timestamp,
               origin, event, disposition, reason, signature, key_id, auth_timestamp, encode(auth_sign, 'hex') as auth_sign,
               signature_tag is not null as "is_first_use!", signature_shared_with, client_ip, node_ip, source_ip,
               user_args, rendition_template, extra, altered, retried, blanked, ended_at, actor, note, original_event_id, original_event,
               original_received_at
           from log_entry
           where shard = $1 and position > $2 and recorded_at >= $3 and position <= $4
           order by position
           limit $5"#,
        after.shard,
        after.position,
        after.recorded_at,
        to_position,
        limit
    )
    .fetch_all(executor)
    .await
}

/// Locks the head of a shard until the end of the transaction, and returns it. Blocks other appends to the shard.
pub async fn lock_head(executor: impl PgExecutor<'_>, shard: i16) -> Result<ProgressRow, sqlx::Error> {
    sqlx::query_as!(
        ProgressRow,
        "select shard, position, recorded_at from shard_head where shard = $1 for update",
        shard
    )
    .fetch_one(executor)
    .await
}

/// The ids of a shard's events between two positions (inclusive) and two recorded times, in order.
pub async fn list_event_ids(
    executor: impl PgExecutor<'_>,
    shard: i16,
    positions: (i64, i64),
    recorded: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select event_id from log_entry
         where shard = $1 and position between $2 and $3 and recorded_at between $4 and $5
         order by position",
        shard,
        positions.0,
        positions.1,
        recorded.0,
        recorded.1
    )
    .fetch_all(executor)
    .await
}

/// Inserts events as they were recorded. The caller must hold the head of their shard, and move it in the same
/// transaction.
///
/// # Errors
/// Those of the database; SQLSTATE class 22 or 23 when it rejects a value of an event.
pub async fn insert_recorded_entries(
    executor: impl PgExecutor<'_>,
    entries: &[&RecordedEntryRow],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into log_entry (
             shard, position, recorded_at, received_at, event_id, session_id, domain, app, stream, publish_timestamp, origin,
             event, disposition, reason, signature, key_id, auth_timestamp, auth_sign, signature_tag, signature_shared_with,
             client_ip, node_ip, source_ip, user_args, rendition_template, extra, altered, retried, blanked, ended_at, actor, note,
             original_event_id, original_event, original_received_at
         )
         select shard, position, recorded_at, received_at, event_id, session_id, domain, app, stream, publish_timestamp,
             origin, event, disposition, reason, signature, key_id, auth_timestamp, decode(auth_sign, 'hex'),
             case when is_first_use then ('x' || left(auth_sign, 16))::bit(64)::bigint end, signature_shared_with, client_ip,
             node_ip, source_ip, user_args, rendition_template, extra, altered, retried, blanked, ended_at, actor, note, original_event_id, original_event,
             original_received_at
         from jsonb_to_recordset($1) as entry (
             shard smallint, position bigint, recorded_at timestamptz, received_at timestamptz, event_id uuid,
             session_id uuid, domain text, app text, stream text, publish_timestamp bigint, origin text, event text,
             disposition text, reason text, signature text, key_id uuid, auth_timestamp bigint, auth_sign text,
             is_first_use boolean, signature_shared_with uuid, client_ip text, node_ip text, source_ip text, user_args text,
             rendition_template text, extra jsonb, altered text[], retried boolean, blanked boolean, ended_at timestamptz, actor text, note text, original_event_id uuid,
             original_event text, original_received_at timestamptz
         )",
        Json(entries) as _
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Moves the head of a shard.
pub async fn update_head(executor: impl PgExecutor<'_>, head: ProgressRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update shard_head set position = $2, recorded_at = $3 where shard = $1",
        head.shard,
        head.position,
        head.recorded_at
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Updates the planner's statistics.
pub async fn analyze_tables(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("analyze log_entry, stream, stream_session, session_outcome").execute(executor).await?;
    Ok(())
}
