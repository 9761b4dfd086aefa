//! Sessions whose end will not come.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::session::key::lowest_id_since;

/// A live session, and when it is found to have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRow {
    pub shard: i16,
    pub session_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    pub ended_at: DateTime<Utc>,
}

/// Live sessions of whose stream a later one has lasted for `lasting` at `now`; each ended when the first such began.
/// A later one lasts since its start was received, so that an end on its way can still arrive. Not of domains where several
/// pushers of a stream are normal. At most `limit`.
pub async fn list_superseded(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    lasting: TimeDelta,
    limit: i64,
) -> Result<Vec<FindingRow>, sqlx::Error> {
    sqlx::query_as!(
        FindingRow,
        r#"select session.shard, session.session_id, session.domain, session.app, session.stream,
               session.publish_timestamp, later.started_at as "ended_at!"
           from stream_session session
           cross join lateral (
               select started_at from stream_session later
               where later.shard = session.shard and later.stream_id = session.stream_id
                 and later.session_id > session.session_id and later.status <> 'unseen'
                 and later.start_received_at <= $1
                 and coalesce(later.ended_at, $2) - later.started_at >= $3
               order by later.session_id
               limit 1
           ) later
           where session.status = 'live'
             and session.domain <> all (array (select domain from ingest_domain where concurrent_pushes))
           limit $4"#,
        now - lasting,
        now,
        lasting as _,
        limit
    )
    .fetch_all(executor)
    .await
}

/// Sessions that are live and began until `started_until`. `ended_at` is when they began. At most `limit`.
pub async fn list_live_since(
    executor: impl PgExecutor<'_>,
    started_until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<FindingRow>, sqlx::Error> {
    sqlx::query_as!(
        FindingRow,
        "select shard, session_id, domain, app, stream, publish_timestamp, started_at as ended_at
         from stream_session
         where status = 'live' and session_id < $1
         order by session_id
         limit $2",
        lowest_id_since(started_until + TimeDelta::nanoseconds(1)),
        limit
    )
    .fetch_all(executor)
    .await
}

/// Makes this transaction the only one that infers; false when another is at it.
pub async fn try_lock_inference(executor: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('streamtally: inference')) as "locked!""#)
        .fetch_one(executor)
        .await
}

/// Keeps others from inferring, as long as this connection lasts. Waits for who is at it.
pub async fn lock_inference(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_lock(hashtext('streamtally: inference'))").execute(executor).await?;
    Ok(())
}

/// How far each shard's log reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadsRow {
    pub shards: Vec<i16>,
    /// Their newest positions, in the same order.
    pub positions: Vec<i64>,
}

/// How far the log reaches.
pub async fn get_heads(executor: impl PgExecutor<'_>) -> Result<HeadsRow, sqlx::Error> {
    sqlx::query_as!(
        HeadsRow,
        r#"select coalesce(array_agg(shard order by shard), '{}') as "shards!",
               coalesce(array_agg(position order by shard), '{}') as "positions!"
           from shard_head"#
    )
    .fetch_one(executor)
    .await
}

/// Whether the log is folded as far as it reached then.
pub async fn is_folded_to(executor: impl PgExecutor<'_>, heads: &HeadsRow) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select not exists (
               select 1 from unnest($1::smallint[], $2::bigint[]) as head (shard, position)
               join fold_progress folded using (shard)
               where folded.position < head.position
           ) as "folded!""#,
        &heads.shards,
        &heads.positions
    )
    .fetch_one(executor)
    .await
}
