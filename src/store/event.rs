//! Events of the log as callers read them.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::event::{AlteredMember, Disposition, QuarantineReason, Signature};

/// An event, with the fields that callers may see.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct EventRow {
    /// Used only for ordering, never shown.
    pub shard: i16,
    /// Used only for ordering, never shown.
    pub position: i64,
    pub event_id: Uuid,
    pub session_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    pub event: String,
    pub received_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub disposition: Disposition,
    pub reason: Option<QuarantineReason>,
    /// When an operator released it, if it was quarantined.
    pub released_at: Option<DateTime<Utc>>,
    pub original_event_id: Option<Uuid>,
    pub signature: Option<Signature>,
    pub key_id: Option<Uuid>,
    /// When its signature expires, in Unix seconds.
    pub auth_timestamp: Option<i64>,
    /// The session that used the signature first, if this event is accepted nevertheless.
    pub signature_shared_with: Option<Uuid>,
    /// The unsigned members that were changed when they were stored.
    pub altered: Option<Vec<AlteredMember>>,
    pub actor: Option<String>,
    pub note: Option<String>,
    pub client_ip: Option<String>,
    pub node_ip: Option<String>,
    pub source_ip: Option<String>,
    /// Query string of the push URL, masked.
    pub user_args: Option<String>,
}

/// The events of one session, newest first, before a position, at most `limit`.
pub async fn list_session_events(
    executor: impl PgExecutor<'_>,
    session_id: Uuid,
    before_position: Option<i64>,
    limit: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    sqlx::query_as!(
        EventRow,
        r#"select shard, position, event_id, session_id, domain, app, stream, publish_timestamp, event, received_at,
                recorded_at, disposition, reason, signature, key_id, auth_timestamp, signature_shared_with, altered, actor, note,
                client_ip, node_ip, source_ip, user_args, original_event_id,
                (select release.recorded_at from log_entry release
                 where release.shard = entry.shard and release.original_event_id = entry.event_id
                     and entry.disposition = 'quarantined' limit 1)
                as released_at
         from log_entry entry
         where session_id = $1 and position < coalesce($2, 9223372036854775807)
         order by position desc
         limit $3"#,
        session_id,
        before_position,
        limit
    )
    .fetch_all(executor)
    .await
}

/// A quarantined event.
pub async fn get_quarantined_event(
    executor: impl PgExecutor<'_>,
    event_id: Uuid,
) -> Result<Option<EventRow>, sqlx::Error> {
    sqlx::query_as!(
        EventRow,
        r#"select shard, position, event_id, session_id, domain, app, stream, publish_timestamp, event, received_at,
                recorded_at, disposition, reason, signature, key_id, auth_timestamp, signature_shared_with, altered, actor, note,
                client_ip, node_ip, source_ip, user_args, original_event_id,
                (select release.recorded_at from log_entry release
                 where release.shard = entry.shard and release.original_event_id = entry.event_id limit 1) as released_at
         from log_entry entry
         where event_id = $1 and disposition = 'quarantined'"#,
        event_id
    )
    .fetch_optional(executor)
    .await
}

/// The type of the last operator's event about a session's end.
pub async fn get_last_operator_event(
    executor: impl PgExecutor<'_>,
    session_id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select event from log_entry
         where session_id = $1 and origin = 'operator' and disposition = 'accepted'
         order by position desc limit 1",
        session_id
    )
    .fetch_optional(executor)
    .await
}

/// An event of a session.
///
/// # Errors
/// Those of the database; `RowNotFound` when the event does not exist.
pub async fn get_session_event(
    executor: impl PgExecutor<'_>,
    session_id: Uuid,
    event_id: Uuid,
) -> Result<EventRow, sqlx::Error> {
    sqlx::query_as!(
        EventRow,
        r#"select shard, position, event_id, session_id, domain, app, stream, publish_timestamp, event, received_at,
                recorded_at, disposition, reason, signature, key_id, auth_timestamp, signature_shared_with, altered, actor, note,
                client_ip, node_ip, source_ip, user_args, original_event_id, null::timestamptz as released_at
         from log_entry where session_id = $1 and event_id = $2"#,
        session_id,
        event_id
    )
    .fetch_one(executor)
    .await
}

/// Blocks other operators' changes to this event or session, until the connection closes.
pub async fn lock_for_operators(executor: impl PgExecutor<'_>, id: Uuid) -> Result<(), sqlx::Error> {
    let (high, low) = id.as_u64_pair();
    sqlx::query!("select pg_advisory_lock($1)", (high ^ low).cast_signed()).execute(executor).await?;
    Ok(())
}
