//! Sessions as folding reads and writes them, and a session as callers read it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::column;
use crate::model::session::{EndSource, Flag, Status};
use crate::session::lifecycle;

/// A session: a row of the table, and, to write it, a value of the type with the same fields in the same order.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, sqlx::Type)]
#[sqlx(type_name = "session_to_write")]
#[expect(clippy::struct_excessive_bools, reason = "each is a column")]
pub struct SessionRow {
    pub shard: i16,
    pub session_id: Uuid,
    pub stream_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    /// `publish_timestamp` as a time.
    pub started_at: DateTime<Utc>,
    pub start_received_at: Option<DateTime<Utc>>,
    pub start_deliveries: i32,
    pub end_received_at: Option<DateTime<Utc>>,
    pub end_deliveries: i32,
    /// The earliest second by which the end is known to have happened.
    pub end_noticed_at: Option<DateTime<Utc>>,
    pub superseded_at: Option<DateTime<Utc>>,
    pub timed_out_at: Option<DateTime<Utc>>,
    pub operator_ended_at: Option<DateTime<Utc>>,
    /// When an operator or the provider's list confirmed last that it is live.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When the provider's list confirmed it last.
    pub listed_at: Option<DateTime<Utc>>,
    /// When the provider's list missed it last, and the end that follows from that.
    pub unlisted_at: Option<DateTime<Utc>>,
    pub unlisted_ended_at: Option<DateTime<Utc>>,
    pub history_ended_at: Option<DateTime<Utc>>,
    /// It is the push of another session, as far as no callback of this one was accepted.
    pub replaced: bool,
    pub quarantined_messages: i32,
    /// Two pushes started in one second.
    pub key_conflict: bool,
    /// An accepted callback has a signature that another push had used before.
    pub shared_signature: bool,
    pub client_ip: Option<String>,
    pub node_ip: Option<String>,
    /// The encoder's address in canonical form, merged from all starts; `None` when it is `client_ip`.
    pub client_address: Option<String>,
    pub node_address: Option<String>,
    /// Query string of the push URL, masked.
    pub user_args: Option<String>,
    /// Addresses or `user_args` existed, and are redacted.
    pub blanked: bool,
    pub rendition_template: Option<String>,
    /// `unseen`, `live` or `ended`.
    pub status: Status,
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_at_source: Option<EndSource>,
    pub flags: Vec<Flag>,
    pub seen_at: Option<DateTime<Utc>>,
    /// When the event was recorded that caused the current status, end and rendition.
    pub outcome_at: Option<DateTime<Utc>>,
    /// Before that it was not simply live: see `session_outcome`.
    pub revised: bool,
    pub first_position: i64,
    pub last_position: i64,
    pub last_recorded_at: DateTime<Utc>,
}

impl SessionRow {
    /// When it was last known to be live.
    pub fn known_live_at(&self) -> DateTime<Utc> {
        lifecycle::known_live_at(self.started_at, self.confirmed_at)
    }

    /// The encoder's address to display: as received with the first start, else from a later one.
    pub fn shown_client_ip(&self) -> Option<&str> {
        self.client_ip.as_deref().or(self.client_address.as_deref())
    }

    /// The receiving node's address to display.
    pub fn shown_node_ip(&self) -> Option<&str> {
        self.node_ip.as_deref().or(self.node_address.as_deref())
    }
}

/// The columns of [`SessionRow`]. Statements name them: the result of `select *` changes when a newer version adds a column, which
/// breaks statements that a running process has prepared.
const SESSION_COLUMNS: &str = "\
    shard, session_id, stream_id, domain, app, stream, publish_timestamp, started_at, start_received_at, \
    start_deliveries, end_received_at, end_deliveries, end_noticed_at, superseded_at, timed_out_at, \
    operator_ended_at, confirmed_at, listed_at, unlisted_at, unlisted_ended_at, history_ended_at, replaced, \
    quarantined_messages, key_conflict, shared_signature, client_ip, node_ip, client_address, node_address, user_args, blanked, rendition_template, status, ended_at, ended_at_source, \
    flags, seen_at, outcome_at, revised, first_position, last_position, last_recorded_at";

/// `select` with these columns, to be followed by the source.
pub fn select_sessions() -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("select ");
    query.push(SESSION_COLUMNS).push(" from ");
    query
}

/// The sessions with these ids, each given with its shard. New sessions have no row.
pub async fn list_sessions_by_id(
    executor: impl PgExecutor<'_>,
    session_ids: &[(i16, Uuid)],
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let mut query = select_sessions();
    query.push("(select session.* from unnest(").push_bind(column(session_ids, |(shard, _)| *shard)).push(", ");
    query.push_bind(column(session_ids, |(_, session_id)| *session_id)).push(
        ") as touched (shard, session_id)
         join stream_session session on session.session_id = touched.session_id and session.shard = touched.shard
         where session.shard = any (",
    );
    query.push_bind(shards_of(session_ids.iter().map(|(shard, _)| *shard))).push(")) session");
    query.build_query_as().fetch_all(executor).await
}

/// A session, if callers may see it.
pub async fn get_session(executor: impl PgExecutor<'_>, session_id: Uuid) -> Result<Option<SessionRow>, sqlx::Error> {
    let mut query = select_sessions();
    query.push("stream_session where status <> 'unseen' and session_id = ").push_bind(session_id);
    query.build_query_as().fetch_optional(executor).await
}

/// The distinct shards among these. On a cluster, a statement that names them is sent to their nodes only.
fn shards_of(shards: impl Iterator<Item = i16>) -> Vec<i16> {
    shards.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Inserts sessions that have no row.
pub async fn insert_sessions(executor: impl PgExecutor<'_>, sessions: &[SessionRow]) -> Result<(), sqlx::Error> {
    let insert = format!(
        "insert into stream_session ({SESSION_COLUMNS}) select {SESSION_COLUMNS} from unnest($1::session_to_write[])"
    );
    sqlx::query(AssertSqlSafe(insert)).bind(sessions).execute(executor).await?;
    Ok(())
}

/// Deletes sessions, each with the status of its row. They have another status now, and are inserted again: an update
/// of the status would do both for each row, which takes longer.
pub async fn delete_sessions(
    executor: impl PgExecutor<'_>,
    sessions: &[(i16, Uuid, Status)],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from stream_session session
         using unnest($1::smallint[], $2::uuid[], $3::text[]) as moved (shard, session_id, status)
         where session.session_id = moved.session_id and session.shard = moved.shard and session.status = moved.status
           and session.shard = any ($4)",
        &column(sessions, |(shard, _, _)| *shard),
        &column(sessions, |(_, session_id, _)| *session_id),
        &column(sessions, |(_, _, status)| *status) as _,
        &shards_of(sessions.iter().map(|(shard, _, _)| *shard))
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Updates sessions whose row has the same status.
pub async fn update_sessions(executor: impl PgExecutor<'_>, sessions: &[SessionRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update stream_session session set
             start_received_at = folded.start_received_at, start_deliveries = folded.start_deliveries,
             end_received_at = folded.end_received_at, end_deliveries = folded.end_deliveries,
             end_noticed_at = folded.end_noticed_at, superseded_at = folded.superseded_at,
             timed_out_at = folded.timed_out_at, operator_ended_at = folded.operator_ended_at,
             confirmed_at = folded.confirmed_at, listed_at = folded.listed_at, unlisted_at = folded.unlisted_at,
             unlisted_ended_at = folded.unlisted_ended_at, history_ended_at = folded.history_ended_at,
             replaced = folded.replaced, quarantined_messages = folded.quarantined_messages,
             key_conflict = folded.key_conflict, shared_signature = folded.shared_signature,
             client_ip = folded.client_ip, node_ip = folded.node_ip,
             client_address = folded.client_address, node_address = folded.node_address, user_args = folded.user_args,
             blanked = folded.blanked, rendition_template = folded.rendition_template,
             ended_at = folded.ended_at, ended_at_source = folded.ended_at_source,
             flags = folded.flags, seen_at = folded.seen_at, outcome_at = folded.outcome_at,
             revised = folded.revised, last_position = folded.last_position,
             last_recorded_at = folded.last_recorded_at
         from unnest($1::session_to_write[]) folded
         where session.session_id = folded.session_id and session.shard = folded.shard and session.status = folded.status
           and session.shard = any ($2)",
        sessions as _,
        &shards_of(sessions.iter().map(|session| session.shard))
    )
    .execute(executor)
    .await?;
    Ok(())
}
