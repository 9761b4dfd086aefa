//! Finds sessions whose end callback will not come.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::model::close_rule::CloseRule;
use crate::session::StreamKey;
use crate::session::key::lowest_id_since;

/// A live session with its inferred end.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
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

/// Live sessions for which a later session of the same stream has lasted for `lasting` at `now`, at most `limit`; with
/// `stream_ids`, only those of these streams. The inferred end is the start of the first such session. Its duration counts
/// from the receipt of its start, so that a delayed end callback can still arrive. Domains with concurrent pushes are
/// excluded.
pub async fn list_superseded(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    lasting: TimeDelta,
    stream_ids: Option<Vec<Uuid>>,
    limit: i64,
) -> Result<Vec<FindingRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select session.shard, session.session_id, session.domain, session.app, session.stream,
             session.publish_timestamp, later.started_at as ended_at
         from stream_session session
         cross join lateral (
             select started_at from stream_session later
             where later.shard = session.shard and later.stream_id = session.stream_id
               and later.session_id > session.session_id and later.status <> 'unseen' and later.start_received_at <= ",
    );
    query.push_bind(now - lasting);
    // The list had the session after the later one began.
    query.push(" and (session.listed_at is null or later.started_at > session.listed_at)");
    query.push(" and coalesce(later.ended_at, ").push_bind(now).push(") - later.started_at >= ").push_bind(lasting);
    query.push(
        " order by later.session_id
             limit 1
         ) later
         where session.status = 'live'
           and session.domain <> all (array (select domain from ingest_domain where concurrent_pushes))",
    );
    if let Some(stream_ids) = stream_ids {
        query.push(" and session.stream_id = any (").push_bind(stream_ids).push(")");
    }
    query.push(" limit ").push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

/// The streams with events that were recorded in a period and can make a session superseded: all but reported ends.
pub async fn list_streams_recorded(
    executor: impl PgExecutor<'_>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<StreamKey>, sqlx::Error> {
    sqlx::query_as!(
        StreamKey,
        "select distinct domain, app, stream from log_entry
         where recorded_at >= $1 and recorded_at < $2 and event <> 'PUBLISH_DONE'",
        from,
        until
    )
    .fetch_all(executor)
    .await
}

/// A domain with its own rule for sessions without an end callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseRuleRow {
    pub domain: String,
    close_unconfirmed_seconds: Option<i64>,
}

impl CloseRuleRow {
    pub fn close_rule(&self) -> CloseRule {
        CloseRule::of_seconds(self.close_unconfirmed_seconds)
    }
}

/// The domains that have a rule of their own.
pub async fn list_close_rules(executor: impl PgExecutor<'_>) -> Result<Vec<CloseRuleRow>, sqlx::Error> {
    sqlx::query_as!(
        CloseRuleRow,
        "select domain, close_unconfirmed_seconds from ingest_domain where close_unconfirmed_seconds is not null"
    )
    .fetch_all(executor)
    .await
}

/// A live session, and when it was last known to be live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentRow {
    pub shard: i16,
    pub session_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    pub known_live_at: DateTime<Utc>,
}

/// Live sessions that were last known to be live at or before `known_live_until`, except those of some domains, at most
/// `limit`. Reads only sessions that started until then: ids begin with the start.
pub async fn list_silent(
    executor: impl PgExecutor<'_>,
    known_live_until: DateTime<Utc>,
    except_domains: &[String],
    limit: i64,
) -> Result<Vec<SilentRow>, sqlx::Error> {
    sqlx::query_as!(
        SilentRow,
        r#"select shard, session_id, domain, app, stream, publish_timestamp,
               greatest(started_at, confirmed_at) as "known_live_at!"
         from stream_session
         where status = 'live' and session_id < $1 and (confirmed_at is null or confirmed_at <= $2)
           and domain <> all ($3)
         order by session_id
         limit $4"#,
        lowest_id_since(known_live_until + TimeDelta::nanoseconds(1)),
        known_live_until,
        except_domains,
        limit
    )
    .fetch_all(executor)
    .await
}

/// The same of one domain.
pub async fn list_silent_of(
    executor: impl PgExecutor<'_>,
    known_live_until: DateTime<Utc>,
    domain: &str,
    limit: i64,
) -> Result<Vec<SilentRow>, sqlx::Error> {
    sqlx::query_as!(
        SilentRow,
        r#"select shard, session_id, domain, app, stream, publish_timestamp,
               greatest(started_at, confirmed_at) as "known_live_at!"
         from stream_session
         where status = 'live' and domain = $1 and session_id < $2 and (confirmed_at is null or confirmed_at <= $3)
         order by session_id
         limit $4"#,
        domain,
        lowest_id_since(known_live_until + TimeDelta::nanoseconds(1)),
        known_live_until,
        limit
    )
    .fetch_all(executor)
    .await
}

/// A session that only the provider's history knew, and whose callbacks came under another start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedRow {
    pub shard: i16,
    pub session_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
}

/// Sessions that only the provider's history knows, and that begin within `tolerance` of a session of the stream that has
/// callbacks, at most `limit`. Where several could be that session's push, none is found.
pub async fn list_replaced(
    executor: impl PgExecutor<'_>,
    tolerance: TimeDelta,
    limit: i64,
) -> Result<Vec<ReplacedRow>, sqlx::Error> {
    sqlx::query_as!(
        ReplacedRow,
        "select shard, session_id, domain, app, stream, publish_timestamp
         from stream_session listed
         where status = 'ended' and cardinality(flags) > 0 and 'start_listed' = any (flags)
           and exists (
               select from stream_session told
               where told.shard = listed.shard and told.stream_id = listed.stream_id
                 and told.start_deliveries + told.end_deliveries > 0
                 and abs(told.publish_timestamp - listed.publish_timestamp) <= $1
                 and not exists (
                     select from stream_session other
                     where other.shard = told.shard and other.stream_id = told.stream_id
                       and other.session_id <> listed.session_id
                       and other.start_deliveries + other.end_deliveries = 0 and other.history_ended_at is not null
                       and abs(other.publish_timestamp - told.publish_timestamp) <= $1
                 )
           )
         limit $2",
        tolerance.num_seconds(),
        limit
    )
    .fetch_all(executor)
    .await
}

/// Locks inference for this transaction; false when another process infers.
pub async fn try_lock_inference(executor: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('streamtally: inference')) as "locked!""#)
        .fetch_one(executor)
        .await
}

/// Waits for the lock of inference, and holds it until the connection closes.
pub async fn lock_inference(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_lock(hashtext('streamtally: inference'))").execute(executor).await?;
    Ok(())
}

/// The newest position of each shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadsRow {
    pub shards: Vec<i16>,
    /// In the order of `shards`.
    pub positions: Vec<i64>,
}

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

/// Whether the log is folded up to these positions.
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
