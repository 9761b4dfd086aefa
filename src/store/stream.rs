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
pub async fn get_domain(executor: impl PgExecutor<'_>, stream_id: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select domain from stream_session where stream_id = $1 and status <> 'unseen' limit 1",
        stream_id
    )
    .fetch_optional(executor)
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
             live.live_sessions, live.live_since, newest.started_at as last_started_at,
             (select max(ended.ended_at) from stream_session ended
              where ended.stream_id = stream.stream_id and ended.shard = stream.shard
                  and ended.status = 'ended') as last_ended_at,
             newest.rendition_template
         from stream
         cross join lateral (
             select count(*) as live_sessions, min(started_at) as live_since from stream_session live
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

fn push_conditions(query: &mut QueryBuilder<Postgres>, scope: StreamScope<'_>, filter: &StreamFilter) {
    if let Some(domains) = scope.visible_domains {
        query.push(" and stream.domain = any (").push_bind(domains.to_vec()).push(")");
    }
    if let Some(stream_id) = scope.stream_id {
        query.push(
            " and (stream.domain, stream.app, stream.stream) = (
                 select domain, app, stream from stream_session
                 where status <> 'unseen' and stream_id = ",
        );
        query.push_bind(stream_id).push(" limit 1)");
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
