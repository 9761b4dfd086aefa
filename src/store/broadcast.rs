//! Broadcasts: sessions of one stream, merged over short gaps.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::session::{SessionRow, select_sessions};

/// Which broadcasts to list.
#[derive(Debug, Clone, Copy)]
pub struct BroadcastFilter {
    pub stream_id: Uuid,
    /// The longest gap, in seconds, that does not end a broadcast.
    pub merge_gap_seconds: u32,
    /// Live sessions are counted up to this time.
    pub as_of: DateTime<Utc>,
    /// Only broadcasts that were on air after this time; `None`: all.
    pub from: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub struct BroadcastRow {
    pub started_at: DateTime<Utc>,
    /// When the last of its sessions ended; `None` while one is live.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whole seconds during which at least one of its sessions was live.
    pub on_air_seconds: i64,
    pub interruptions: i64,
    /// The longest interruption; 0 if none.
    pub longest_gap_seconds: i64,
    /// Its sessions, ordered by start.
    pub session_ids: Vec<Uuid>,
}

/// The broadcasts of a stream that started before `before`, newest first, at most `limit`.
pub async fn list_broadcasts(
    executor: impl PgExecutor<'_>,
    filter: BroadcastFilter,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<BroadcastRow>, sqlx::Error> {
    sqlx::query_as!(
        BroadcastRow,
        r#"with push as (
             select session_id, started_at, status,
                 greatest(coalesce(ended_at, $3::timestamptz), started_at) as lasted_to,
                 max(greatest(coalesce(ended_at, $3::timestamptz), started_at)) over earlier as on_air_to
             from stream_session
             where stream_id = $1 and status <> 'unseen'
             window earlier as (order by session_id rows between unbounded preceding and 1 preceding)
         ),
         part as (
             select push.*,
                 count(*) filter (where on_air_to is null or started_at - on_air_to > $2::double precision * interval '1 second')
                     over (order by session_id) as broadcast
             from push
         )
         select min(started_at) as "started_at!",
             case when not bool_or(status = 'live') then max(lasted_to) end as ended_at,
             floor(sum(extract(epoch from greatest(lasted_to - greatest(started_at, on_air_to), interval '0'))))::bigint
                 as "on_air_seconds!",
             count(*) filter (where started_at > on_air_to and started_at - on_air_to <= $2::double precision * interval '1 second')
                 as "interruptions!",
             coalesce(ceil(extract(epoch from max(started_at - on_air_to)
                 filter (where started_at > on_air_to and started_at - on_air_to <= $2::double precision * interval '1 second'))), 0)::bigint
                 as "longest_gap_seconds!",
             array_agg(session_id order by session_id) as "session_ids!"
         from part
         group by broadcast
         having min(started_at) < coalesce($4::timestamptz, 'infinity')
             and max(lasted_to) > coalesce($6::timestamptz, '-infinity')
         order by min(started_at) desc
         limit $5"#,
        filter.stream_id,
        f64::from(filter.merge_gap_seconds),
        filter.as_of,
        before,
        limit,
        filter.from
    )
    .fetch_all(executor)
    .await
}

/// The sessions of a stream with these ids, ordered by start.
pub async fn list_sessions_of_stream(
    executor: impl PgExecutor<'_>,
    stream_id: Uuid,
    session_ids: &[Uuid],
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let mut query = select_sessions();
    query.push("stream_session where status <> 'unseen' and stream_id = ").push_bind(stream_id);
    query.push(" and session_id = any (").push_bind(session_ids).push(") order by session_id");
    query.build_query_as().fetch_all(executor).await
}
