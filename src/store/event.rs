//! Events of the log as callers read them.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::stream::NameSearch;
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
    /// The end that was inferred or that an operator set.
    pub ended_at: Option<DateTime<Utc>>,
    pub original_event_id: Option<Uuid>,
    pub signature: Option<Signature>,
    pub key_id: Option<Uuid>,
    /// When its signature expires, in Unix seconds.
    pub auth_timestamp: Option<i64>,
    /// The session that used the signature first, if this event is accepted nevertheless.
    pub signature_shared_with: Option<Uuid>,
    /// The unsigned members that were changed when they were stored.
    pub altered: Option<Vec<AlteredMember>>,
    /// It was rejected when it arrived, kept, and admitted later.
    pub retried: bool,
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
                recorded_at, disposition, reason, ended_at, signature, key_id, auth_timestamp, signature_shared_with, altered, retried, actor, note,
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
                recorded_at, disposition, reason, ended_at, signature, key_id, auth_timestamp, signature_shared_with, altered, retried, actor, note,
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

/// The type of the last operator's event that set or withdrew a session's end.
pub async fn get_last_operator_event(
    executor: impl PgExecutor<'_>,
    session_id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select event from log_entry
         where session_id = $1 and origin = 'operator' and event in ('OPERATOR_END', 'OPERATOR_END_WITHDRAWN')
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
                recorded_at, disposition, reason, ended_at, signature, key_id, auth_timestamp, signature_shared_with, altered, retried, actor, note,
                client_ip, node_ip, source_ip, user_args, original_event_id, null::timestamptz as released_at
         from log_entry where session_id = $1 and event_id = $2"#,
        session_id,
        event_id
    )
    .fetch_one(executor)
    .await
}

/// Blocks other operators' changes to this session, until the connection closes.
pub async fn lock_for_operators(executor: impl PgExecutor<'_>, session_id: Uuid) -> Result<(), sqlx::Error> {
    let (high, low) = session_id.as_u64_pair();
    sqlx::query!("select pg_advisory_lock($1)", (high ^ low).cast_signed()).execute(executor).await?;
    Ok(())
}

/// The newest quarantined event of each push that matches and of which nothing was accepted yet, most recent push
/// first, at most `limit`.
pub async fn find_quarantined_pushes(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    search: &NameSearch,
    limit: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    let url = search.url.as_ref();
    sqlx::query_as!(
        EventRow,
        r#"select entry.shard, entry.position, event_id, entry.session_id, entry.domain, entry.app, entry.stream,
                entry.publish_timestamp, event, received_at, recorded_at, disposition, reason, entry.ended_at, signature, key_id,
                auth_timestamp, signature_shared_with, altered, retried, actor, note, entry.client_ip, entry.node_ip, source_ip,
                entry.user_args, original_event_id, null::timestamptz as released_at
         from stream_session unseen
         cross join lateral (
             select * from log_entry quarantined
             where quarantined.session_id = unseen.session_id and quarantined.shard = unseen.shard
                 and quarantined.disposition = 'quarantined'
             order by quarantined.position desc limit 1
         ) entry
         where unseen.status = 'unseen' and ($1::text[] is null or unseen.domain = any ($1))
           and ((unseen.domain || '/' || unseen.app || '/' || unseen.stream) ilike all ($2)
                or (unseen.app = $3 and unseen.stream = any ($4)))
         order by unseen.session_id desc
         limit $5"#,
        visible_domains,
        &search.patterns,
        url.map(|url| url.app.as_str()),
        url.map(|url| url.streams.as_slice()),
        limit
    )
    .fetch_all(executor)
    .await
}
