//! Streams: their names as folding finds them, and their state as callers read it.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::column;
use crate::model::filter::StreamFilter;
use crate::model::session::{Renditions, StreamStatus};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamNameRow {
    pub shard: i16,
    pub stream_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
}

/// Inserts streams, unless they exist.
pub async fn insert_streams(executor: impl PgExecutor<'_>, streams: &[StreamNameRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into stream (shard, stream_id, domain, app, stream)
         select * from unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::text[])
         on conflict (domain, app, stream, shard) do nothing",
        &column(streams, |stream| stream.shard),
        &column(streams, |stream| stream.stream_id),
        &column(streams, |stream| stream.domain.as_str()) as _,
        &column(streams, |stream| stream.app.as_str()) as _,
        &column(streams, |stream| stream.stream.as_str()) as _,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The domain of a stream; `None` when the stream is unknown.
///
/// By the newest session: without an order, the planner reads all sessions of a stream that has many.
pub async fn get_domain(executor: impl PgExecutor<'_>, stream_id: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select domain from stream_session where stream_id = $1 and status <> 'unseen' order by session_id desc limit 1",
        stream_id
    )
    .fetch_optional(executor)
    .await
}

/// Those of these streams that callers may see: a callback of them was accepted.
pub async fn list_known_streams(executor: impl PgExecutor<'_>, stream_ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select stream_id from stream
         where stream_id = any ($1) and exists (
             select from stream_session session
             where session.stream_id = stream.stream_id and session.shard = stream.shard and session.status <> 'unseen'
         )",
        stream_ids
    )
    .fetch_all(executor)
    .await
}

/// A stream with its state.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StreamRow {
    pub stream_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    pub live_sessions: i64,
    pub live_since: Option<DateTime<Utc>>,
    /// When that live session was last known to be live that was so the longest ago.
    pub known_live_at: Option<DateTime<Utc>>,
    pub last_started_at: DateTime<Utc>,
    pub last_ended_at: Option<DateTime<Utc>>,
    pub rendition_template: Option<String>,
}

/// Restricts a list of streams to those that a caller may see.
#[derive(Debug, Clone, Copy, Default)]
pub struct StreamScope<'a> {
    /// The domains that the caller may access; `None`: all.
    pub visible_domains: Option<&'a [String]>,
    pub stream_id: Option<Uuid>,
}

/// The cursor: domain, app and stream of the previous page's last stream.
pub type AfterStream = (String, String, String);

/// A page of the streams that match, ordered by domain, app and name.
pub async fn list_streams(
    executor: impl PgExecutor<'_>,
    scope: StreamScope<'_>,
    filter: &StreamFilter,
    after: Option<AfterStream>,
    limit: i64,
) -> Result<Vec<StreamRow>, sqlx::Error> {
    let mut query = QueryBuilder::new(
        "select stream.stream_id, stream.domain, stream.app, stream.stream,
             live.live_sessions, live.live_since, live.known_live_at, newest.started_at as last_started_at,
             (select max(ended.ended_at) from stream_session ended
              where ended.stream_id = stream.stream_id and ended.shard = stream.shard
                  and ended.status = 'ended') as last_ended_at,
             newest.rendition_template
         from stream
         cross join lateral (
             select count(*) as live_sessions, min(started_at) as live_since,
                 min(greatest(started_at, confirmed_at)) as known_live_at
             from stream_session live
             where live.domain = stream.domain and live.app = stream.app and live.stream_id = stream.stream_id
                 and live.shard = stream.shard and live.status = 'live'
         ) live
         cross join lateral (
             select started_at, rendition_template from stream_session newest
             where newest.stream_id = stream.stream_id and newest.shard = stream.shard
                 and newest.status <> 'unseen'
             order by session_id desc limit 1
         ) newest
         where true",
    );
    push_conditions(&mut query, scope, filter);
    if let Some((domain, app, stream)) = after {
        query.push(" and (stream.domain, stream.app, stream.stream) > (");
        query.push_bind(domain).push(", ").push_bind(app).push(", ").push_bind(stream).push(")");
    }
    query.push(" order by stream.domain, stream.app, stream.stream limit ").push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

/// What a search box was given, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameSearch {
    /// Patterns for `ilike`: each must match the joined names `domain/app/stream`.
    pub patterns: Vec<String>,
    /// The whole text: a stream of just this name comes first.
    pub text: String,
    /// Domain, app, and possible names of the stream, if the text is a URL. A play URL has another domain.
    pub url: Option<UrlNames>,
}

/// What a push URL or play URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlNames {
    pub domain: String,
    pub app: String,
    /// With and without the extension of a play URL.
    pub streams: Vec<String>,
}

/// The name of a stream that a search found.
#[derive(Debug, Clone)]
pub struct FoundNameRow {
    pub stream_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// How many streams match, with those beyond the limit.
    pub matches: i64,
}

/// A stream that a search found, with its last session.
#[derive(Debug, Clone)]
pub struct FoundStreamRow {
    pub stream_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// When that live session was last known to be live that was so the longest ago; `None` if none is live.
    pub known_live_at: Option<DateTime<Utc>>,
    pub last_started_at: DateTime<Utc>,
    /// When the session that started last ended; `None` while it is live.
    pub last_ended_at: Option<DateTime<Utc>>,
}

/// The names of the streams that match, exact matches first, at most `limit`. Reads all names once.
pub async fn find_names(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    search: &NameSearch,
    limit: i64,
) -> Result<Vec<FoundNameRow>, sqlx::Error> {
    let url = search.url.as_ref();
    sqlx::query_as!(
        FoundNameRow,
        r#"select stream_id, domain, app, stream, count(*) over () as "matches!"
         from stream
         where ($1::text[] is null or domain = any ($1))
           and ((domain || '/' || app || '/' || stream) ilike all ($2) or (app = $5 and stream = any ($6)))
         order by case when app = $5 and stream = any ($6) then case when domain = $4 then 0 else 1 end
                       when lower(stream) = lower($3) then 1 else 2 end,
             domain, app, stream
         limit $7"#,
        visible_domains,
        &search.patterns,
        search.text,
        url.map(|url| url.domain.as_str()),
        url.map(|url| url.app.as_str()),
        url.map(|url| url.streams.as_slice()),
        limit
    )
    .fetch_all(executor)
    .await
}

/// These streams with their last sessions, in any order.
pub async fn list_found_streams(
    executor: impl PgExecutor<'_>,
    names: &[FoundNameRow],
) -> Result<Vec<FoundStreamRow>, sqlx::Error> {
    sqlx::query_as!(
        FoundStreamRow,
        "select stream.stream_id, stream.domain, stream.app, stream.stream, live.known_live_at,
             newest.started_at as last_started_at, newest.ended_at as last_ended_at
         from stream
         cross join lateral (
             select min(greatest(started_at, confirmed_at)) as known_live_at from stream_session live
             where live.stream_id = stream.stream_id and live.shard = stream.shard and live.status = 'live'
         ) live
         cross join lateral (
             select started_at, ended_at from stream_session newest
             where newest.stream_id = stream.stream_id and newest.shard = stream.shard and newest.status <> 'unseen'
             order by session_id desc limit 1
         ) newest
         where (stream.domain, stream.app, stream.stream) in (select * from unnest($1::text[], $2::text[], $3::text[]))",
        &column(names, |name| name.domain.as_str()) as _,
        &column(names, |name| name.app.as_str()) as _,
        &column(names, |name| name.stream.as_str()) as _,
    )
    .fetch_all(executor)
    .await
}

fn push_conditions(query: &mut QueryBuilder<Postgres>, scope: StreamScope<'_>, filter: &StreamFilter) {
    if let Some(domains) = scope.visible_domains {
        query.push(" and stream.domain = any (").push_bind(domains.to_vec()).push(")");
    }
    if let Some(stream_id) = scope.stream_id {
        // By the newest session, as in `get_domain`.
        query.push(
            " and (stream.domain, stream.app, stream.stream) = (
                 select domain, app, stream from stream_session
                 where status <> 'unseen' and stream_id = ",
        );
        query.push_bind(stream_id).push(" order by session_id desc limit 1)");
    }
    for (column, value) in [
        (" and stream.domain = ", &filter.domain),
        (" and stream.app = ", &filter.app),
        (" and stream.stream = ", &filter.stream),
    ] {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    if let Some(prefix) = &filter.stream_prefix {
        query.push(" and starts_with(stream.stream, ").push_bind(prefix.clone()).push(")");
    }
    if let Some(part) = &filter.search {
        query.push(" and strpos(stream.stream, ").push_bind(part.clone()).push(") > 0");
    }
    match filter.status {
        Some(StreamStatus::Live) => {
            // Lets the planner use the index of live sessions, however few match.
            query.push(
                " and exists (
                     select from stream_session live
                     where live.domain = stream.domain and live.app = stream.app and live.stream_id = stream.stream_id
                         and live.shard = stream.shard and live.status = 'live'
                 )",
            );
        }
        Some(StreamStatus::Offline) => {
            query.push(" and live.live_sessions = 0");
        }
        None => {}
    }
    match filter.renditions.unwrap_or_default() {
        Renditions::Include => {}
        Renditions::Exclude => {
            query.push(" and newest.rendition_template is null");
        }
        Renditions::Only => {
            query.push(" and newest.rendition_template is not null");
        }
    }
}
