//! Sessions as folding reads and writes them, and one session as callers read it.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::column;

/// Everything that is kept of a session.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionRow {
    /// The stream's shard.
    pub shard: i16,
    /// The session's id.
    pub session_id: Uuid,
    /// The stream's id.
    pub stream_id: Uuid,
    /// Ingest domain.
    pub domain: String,
    /// Application.
    pub app: String,
    /// Stream name.
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    /// `publish_timestamp` as a time.
    pub started_at: DateTime<Utc>,
    /// First receipt of a start.
    pub start_received_at: Option<DateTime<Utc>>,
    /// How often a start was received.
    pub start_deliveries: i32,
    /// First receipt of an end.
    pub end_received_at: Option<DateTime<Utc>>,
    /// How often an end was received.
    pub end_deliveries: i32,
    /// The earliest second by which the end had happened.
    pub end_noticed_at: Option<DateTime<Utc>>,
    /// The end inferred from a later push.
    pub superseded_at: Option<DateTime<Utc>>,
    /// The end inferred from silence.
    pub timed_out_at: Option<DateTime<Utc>>,
    /// The end that an operator has set.
    pub operator_ended_at: Option<DateTime<Utc>>,
    /// Quarantined messages that were not released.
    pub quarantined_messages: i32,
    /// Two pushes began in one second.
    pub key_conflict: bool,
    /// The encoder's address.
    pub client_ip: Option<String>,
    /// The receiving node's address.
    pub node_ip: Option<String>,
    /// Query string of the push URL, masked.
    pub user_args: Option<String>,
    /// Addresses or `user_args` were there, and are no longer kept.
    pub blanked: bool,
    /// The template that made this rendition.
    pub rendition_template: Option<String>,
    /// `unseen`, `live` or `ended`.
    pub status: String,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Who says so.
    pub ended_at_source: Option<String>,
    /// What a reader should know.
    pub flags: Vec<String>,
    /// When the first message that counts was recorded.
    pub seen_at: Option<DateTime<Utc>>,
    /// When the entry was recorded that made status, end and rendition what they are.
    pub outcome_at: Option<DateTime<Utc>>,
    /// Before that it was not just live: see `session_outcome`.
    pub revised: bool,
    /// Position of the first entry folded.
    pub first_position: i64,
    /// Position of the last entry folded.
    pub last_position: i64,
    /// When that entry was recorded.
    pub last_recorded_at: DateTime<Utc>,
}

/// The sessions that have these ids, each with its shard; those that are new are not among them.
///
/// # Errors
/// Those of the database.
pub async fn list_sessions_by_id(
    executor: impl PgExecutor<'_>,
    session_ids: &[(i16, Uuid)],
) -> Result<Vec<SessionRow>, sqlx::Error> {
    sqlx::query_as!(
        SessionRow,
        "select session.*
         from unnest($1::smallint[], $2::uuid[]) as touched (shard, session_id)
         join stream_session session on session.session_id = touched.session_id and session.shard = touched.shard
         where session.shard = any ($1)",
        &column(session_ids, |(shard, _)| *shard),
        &column(session_ids, |(_, session_id)| *session_id)
    )
    .fetch_all(executor)
    .await
}

/// One session, if callers may see it: not before a message about it was accepted.
///
/// # Errors
/// Those of the database.
pub async fn get_session(executor: impl PgExecutor<'_>, session_id: Uuid) -> Result<Option<SessionRow>, sqlx::Error> {
    sqlx::query_as!(SessionRow, "select * from stream_session where session_id = $1 and status <> 'unseen'", session_id)
        .fetch_optional(executor)
        .await
}

/// Writes sessions as they now are.
///
/// Arrays cannot hold arrays of differing lengths, so flags travel as one comma-separated text each.
///
/// # Errors
/// Those of the database.
#[expect(clippy::too_many_lines, reason = "one statement, a column a line")]
pub async fn upsert_sessions(executor: impl PgExecutor<'_>, sessions: &[SessionRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into stream_session (
             shard, session_id, stream_id, domain, app, stream, publish_timestamp, started_at,
             start_received_at, start_deliveries, end_received_at, end_deliveries, end_noticed_at, superseded_at,
             timed_out_at, operator_ended_at, quarantined_messages, key_conflict, client_ip, node_ip, user_args,
             blanked, rendition_template, status, ended_at, ended_at_source, flags, seen_at, outcome_at,
             revised, first_position, last_position, last_recorded_at
         )
         select shard, session_id, stream_id, domain, app, stream, publish_timestamp, started_at,
             start_received_at, start_deliveries, end_received_at, end_deliveries, end_noticed_at, superseded_at,
             timed_out_at, operator_ended_at, quarantined_messages, key_conflict, client_ip, node_ip, user_args,
             blanked, rendition_template, status, ended_at, ended_at_source, string_to_array(flags, ','),
             seen_at, outcome_at, revised, first_position, last_position, last_recorded_at
         from unnest(
             $1::smallint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[],
             $9::timestamptz[], $10::integer[], $11::timestamptz[], $12::integer[], $13::timestamptz[],
             $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::integer[], $18::boolean[],
             $19::text[], $20::text[], $21::text[], $22::boolean[], $23::text[], $24::text[], $25::timestamptz[],
             $26::text[], $27::text[], $28::bigint[], $29::bigint[], $30::timestamptz[],
             $31::timestamptz[], $32::timestamptz[], $33::boolean[]
         ) as folded (
             shard, session_id, stream_id, domain, app, stream, publish_timestamp, started_at,
             start_received_at, start_deliveries, end_received_at, end_deliveries, end_noticed_at,
             superseded_at, timed_out_at, operator_ended_at, quarantined_messages, key_conflict,
             client_ip, node_ip, user_args, blanked, rendition_template, status, ended_at, ended_at_source,
             flags, first_position, last_position, last_recorded_at, seen_at, outcome_at, revised
         )
         on conflict (session_id, shard) do update set
             start_received_at = excluded.start_received_at, start_deliveries = excluded.start_deliveries,
             end_received_at = excluded.end_received_at, end_deliveries = excluded.end_deliveries,
             end_noticed_at = excluded.end_noticed_at, superseded_at = excluded.superseded_at,
             timed_out_at = excluded.timed_out_at, operator_ended_at = excluded.operator_ended_at,
             quarantined_messages = excluded.quarantined_messages, key_conflict = excluded.key_conflict,
             client_ip = excluded.client_ip, node_ip = excluded.node_ip, user_args = excluded.user_args,
             blanked = excluded.blanked, rendition_template = excluded.rendition_template,
             status = excluded.status, ended_at = excluded.ended_at, ended_at_source = excluded.ended_at_source,
             flags = excluded.flags, seen_at = excluded.seen_at, outcome_at = excluded.outcome_at,
             revised = excluded.revised, last_position = excluded.last_position,
             last_recorded_at = excluded.last_recorded_at",
        &column(sessions, |session| session.shard),
        &column(sessions, |session| session.session_id),
        &column(sessions, |session| session.stream_id),
        &column(sessions, |session| session.domain.as_str()) as _,
        &column(sessions, |session| session.app.as_str()) as _,
        &column(sessions, |session| session.stream.as_str()) as _,
        &column(sessions, |session| session.publish_timestamp),
        &column(sessions, |session| session.started_at),
        &column(sessions, |session| session.start_received_at) as _,
        &column(sessions, |session| session.start_deliveries),
        &column(sessions, |session| session.end_received_at) as _,
        &column(sessions, |session| session.end_deliveries),
        &column(sessions, |session| session.end_noticed_at) as _,
        &column(sessions, |session| session.superseded_at) as _,
        &column(sessions, |session| session.timed_out_at) as _,
        &column(sessions, |session| session.operator_ended_at) as _,
        &column(sessions, |session| session.quarantined_messages),
        &column(sessions, |session| session.key_conflict),
        &column(sessions, |session| session.client_ip.as_deref()) as _,
        &column(sessions, |session| session.node_ip.as_deref()) as _,
        &column(sessions, |session| session.user_args.as_deref()) as _,
        &column(sessions, |session| session.blanked),
        &column(sessions, |session| session.rendition_template.as_deref()) as _,
        &column(sessions, |session| session.status.as_str()) as _,
        &column(sessions, |session| session.ended_at) as _,
        &column(sessions, |session| session.ended_at_source.as_deref()) as _,
        &column(sessions, |session| session.flags.join(",")),
        &column(sessions, |session| session.first_position),
        &column(sessions, |session| session.last_position),
        &column(sessions, |session| session.last_recorded_at),
        &column(sessions, |session| session.seen_at) as _,
        &column(sessions, |session| session.outcome_at) as _,
        &column(sessions, |session| session.revised),
    )
    .execute(executor)
    .await?;
    Ok(())
}
