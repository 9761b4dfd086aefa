//! What the provider's lists have shown.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::column;
use crate::model::polling::{DifferenceKind, PollOutcome};
use crate::model::session::EndSource;

/// Locks polling until the connection closes; false while another process polls.
pub async fn try_lock_polling(executor: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_lock(hashtext('streamtally: polling')) as "locked!""#)
        .fetch_one(executor)
        .await
}

/// A session that the lists may confirm, end, or show to be live after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSessionRow {
    pub shard: i16,
    pub session_id: Uuid,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    pub started_at: DateTime<Utc>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_at_source: Option<EndSource>,
}

/// The live sessions of a domain.
pub async fn list_live_sessions(
    executor: impl PgExecutor<'_>,
    domain: &str,
) -> Result<Vec<KnownSessionRow>, sqlx::Error> {
    sqlx::query_as!(
        KnownSessionRow,
        "select shard, session_id, app, stream, publish_timestamp, started_at, confirmed_at, ended_at, ended_at_source
         from stream_session where status = 'live' and domain = $1",
        domain
    )
    .fetch_all(executor)
    .await
}

/// The sessions of a domain from an id on whose end was inferred. Ids begin with the start.
pub async fn list_inferred_ends(
    executor: impl PgExecutor<'_>,
    domain: &str,
    from: Uuid,
) -> Result<Vec<KnownSessionRow>, sqlx::Error> {
    sqlx::query_as!(
        KnownSessionRow,
        "select shard, session_id, app, stream, publish_timestamp, started_at, confirmed_at, ended_at, ended_at_source
         from stream_session
         where status = 'ended' and ended_at_source <> 'notification'
           and ended_at_source in ('superseded', 'timed_out', 'unlisted') and session_id >= $2 and domain = $1
         order by session_id",
        domain,
        from
    )
    .fetch_all(executor)
    .await
}

/// A session to compare with the history: also one that callers do not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldSessionRow {
    pub shard: i16,
    pub session_id: Uuid,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_at_source: Option<EndSource>,
    pub history_ended_at: Option<DateTime<Utc>>,
}

impl From<ToldSessionRow> for KnownSessionRow {
    fn from(row: ToldSessionRow) -> Self {
        let ToldSessionRow { shard, session_id, app, stream, publish_timestamp, started_at, .. } = row;
        let (ended_at, ended_at_source) = (row.ended_at, row.ended_at_source);
        let confirmed_at = None;
        Self { shard, session_id, app, stream, publish_timestamp, started_at, confirmed_at, ended_at, ended_at_source }
    }
}

/// The sessions of a domain whose ids are in a range, without those whose push is that of another session.
pub async fn list_told_sessions(
    executor: impl PgExecutor<'_>,
    domain: &str,
    (from, to): (Uuid, Uuid),
) -> Result<Vec<ToldSessionRow>, sqlx::Error> {
    sqlx::query_as!(
        ToldSessionRow,
        "select shard, session_id, app, stream, publish_timestamp, started_at, ended_at, ended_at_source, history_ended_at
         from stream_session
         where domain = $1 and session_id >= $2 and session_id < $3 and not (status = 'unseen' and replaced)",
        domain,
        from,
        to
    )
    .fetch_all(executor)
    .await
}

/// Of these sessions, those that callers see.
pub async fn list_seen(executor: impl PgExecutor<'_>, session_ids: &[Uuid]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let seen = sqlx::query_scalar!(
        "select session_id from stream_session where session_id = any ($1) and status <> 'unseen'",
        session_ids
    )
    .fetch_all(executor)
    .await?;
    Ok(seen.into_iter().collect())
}

/// When a session was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SightingRow {
    pub session_id: Uuid,
    pub last_listed_at: DateTime<Utc>,
}

/// The sightings of a domain by an account since a time.
pub async fn list_sightings(
    executor: impl PgExecutor<'_>,
    domain: &str,
    account_id: Uuid,
    since: DateTime<Utc>,
) -> Result<Vec<SightingRow>, sqlx::Error> {
    sqlx::query_as!(
        SightingRow,
        "select session_id, last_listed_at from poll_sighting
         where domain = $1 and account_id = $2 and last_listed_at >= $3",
        domain,
        account_id,
        since
    )
    .fetch_all(executor)
    .await
}

/// When the lists had each of these sessions last.
pub async fn list_last_listed(
    executor: impl PgExecutor<'_>,
    session_ids: &[Uuid],
) -> Result<BTreeMap<Uuid, DateTime<Utc>>, sqlx::Error> {
    let rows =
        sqlx::query!("select session_id, last_listed_at from poll_sighting where session_id = any ($1)", session_ids)
            .fetch_all(executor)
            .await?;
    Ok(rows.into_iter().map(|row| (row.session_id, row.last_listed_at)).collect())
}

pub async fn upsert_sightings(
    executor: impl PgExecutor<'_>,
    domain: &str,
    account_id: Uuid,
    sightings: &[SightingRow],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into poll_sighting (session_id, domain, account_id, last_listed_at)
         select seen.session_id, $1, $2, seen.last_listed_at
         from unnest($3::uuid[], $4::timestamptz[]) as seen (session_id, last_listed_at)
         on conflict (session_id) do update
         set account_id = excluded.account_id, last_listed_at = excluded.last_listed_at",
        domain,
        account_id,
        &column(sightings, |row| row.session_id),
        &column(sightings, |row| row.last_listed_at)
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Of these sessions, those that the list had since a time, in domains where it may change sessions.
pub async fn list_sighted(
    executor: impl PgExecutor<'_>,
    session_ids: &[Uuid],
    since: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select session_id from poll_sighting join ingest_domain using (domain)
         where session_id = any ($1) and last_listed_at >= $2 and poll_mode = 'repair'",
        session_ids,
        since
    )
    .fetch_all(executor)
    .await
}

/// How a list was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollRow {
    pub begun_at: DateTime<Utc>,
    pub milliseconds: i32,
    pub outcome: PollOutcome,
    pub pages: i32,
    pub listed: i32,
    pub matched: i32,
    pub error_code: Option<String>,
    /// Many sessions have disappeared at once, so that none ends because of the list.
    pub mass_absence: bool,
}

pub async fn insert_poll(executor: impl PgExecutor<'_>, domain: &str, row: &PollRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into poll (domain, begun_at, milliseconds, outcome, pages, listed, matched, error_code, mass_absence)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict do nothing",
        domain,
        row.begun_at,
        row.milliseconds,
        row.outcome.as_str(),
        row.pages,
        row.listed,
        row.matched,
        row.error_code,
        row.mass_absence
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The polls of a domain, those before a time, the newest first, at most `limit`.
pub async fn list_polls(
    executor: impl PgExecutor<'_>,
    domain: &str,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<PollRow>, sqlx::Error> {
    sqlx::query_as!(
        PollRow,
        "select begun_at, milliseconds, outcome, pages, listed, matched, error_code, mass_absence from poll
         where domain = $1 and begun_at < coalesce($2, 'infinity'::timestamptz)
         order by begun_at desc limit $3",
        domain,
        before,
        limit
    )
    .fetch_all(executor)
    .await
}

/// Where the lists and the callbacks disagree.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DifferenceRow {
    #[sqlx(flatten)]
    pub key: DifferenceKey,
    pub session_id: Option<Uuid>,
    pub ended_at: Option<DateTime<Utc>>,
    pub first_seen_at: DateTime<Utc>,
    pub repaired: bool,
}

/// What distinguishes differences of a domain, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::FromRow)]
pub struct DifferenceKey {
    pub last_seen_at: DateTime<Utc>,
    pub kind: DifferenceKind,
    pub app: String,
    pub stream: String,
    pub started_at: DateTime<Utc>,
}

/// Stores differences. Of several with one key, one is stored.
pub async fn upsert_differences(
    executor: impl PgExecutor<'_>,
    domain: &str,
    rows: Vec<DifferenceRow>,
) -> Result<(), sqlx::Error> {
    let by_key: HashMap<DifferenceKey, DifferenceRow> = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
    let rows: Vec<DifferenceRow> = by_key.into_values().collect();
    sqlx::query!(
        "insert into poll_difference
             (domain, kind, app, stream, started_at, session_id, ended_at, first_seen_at, last_seen_at, repaired)
         select $1, seen.*
         from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[], $7::timestamptz[],
             $8::timestamptz[], $9::timestamptz[], $10::boolean[]) as seen
         on conflict (domain, kind, app, stream, started_at) do update
         set session_id = coalesce(excluded.session_id, poll_difference.session_id), ended_at = excluded.ended_at, last_seen_at = excluded.last_seen_at,
             repaired = poll_difference.repaired or excluded.repaired",
        domain,
        &column(&rows, |row| row.key.kind) as _,
        &column(&rows, |row| row.key.app.as_str()) as _,
        &column(&rows, |row| row.key.stream.as_str()) as _,
        &column(&rows, |row| row.key.started_at),
        &column(&rows, |row| row.session_id) as _,
        &column(&rows, |row| row.ended_at) as _,
        &column(&rows, |row| row.first_seen_at),
        &column(&rows, |row| row.key.last_seen_at),
        &column(&rows, |row| row.repaired)
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The differences of a domain, those after a key, at most `limit`: the last seen first.
pub async fn list_differences(
    executor: impl PgExecutor<'_>,
    domain: &str,
    after: Option<DifferenceKey>,
    limit: i64,
) -> Result<Vec<DifferenceRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select last_seen_at, kind, app, stream, started_at, session_id, ended_at, first_seen_at, repaired
         from poll_difference where domain = ",
    );
    query.push_bind(domain);
    if let Some(DifferenceKey { last_seen_at, kind, app, stream, started_at }) = after {
        query.push(" and (last_seen_at, kind, app, stream, started_at) < (").push_bind(last_seen_at);
        query.push(", ").push_bind(kind.as_str()).push(", ").push_bind(app).push(", ").push_bind(stream);
        query.push(", ").push_bind(started_at).push(")");
    }
    query.push(" order by last_seen_at desc, kind desc, app desc, stream desc, started_at desc limit ");
    query.push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

/// Deletes what is no longer needed. Complete polls are deleted sooner: they are many, and say little.
pub async fn delete_before(
    executor: impl PgExecutor<'_>,
    complete: DateTime<Utc>,
    others: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with polls as (
             delete from poll where begun_at < $1 and (outcome = 'complete' or begun_at < $2)
         ), sightings as (
             delete from poll_sighting where last_listed_at < $2
         )
         delete from poll_difference where last_seen_at < $2",
        complete,
        others
    )
    .execute(executor)
    .await?;
    Ok(())
}
