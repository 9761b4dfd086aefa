//! Finds domains that send no callbacks, or no longer do.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::session::key::lowest_id_since;

/// When the newest push of a domain started; `None` when there is none.
pub async fn get_last_start(executor: impl PgExecutor<'_>, domain: &str) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select started_at from stream_session where domain = $1 and status <> 'unseen' order by session_id desc limit 1",
        domain
    )
    .fetch_optional(executor)
    .await
}

/// Whether a domain has sessions that no list shows, because all their callbacks are quarantined or unknown events.
pub async fn has_unseen_session(executor: impl PgExecutor<'_>, domain: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select 1 from stream_session where domain = $1 and status = 'unseen') as "exists!""#,
        domain
    )
    .fetch_one(executor)
    .await
}

/// How often a domain started pushes in a period.
#[derive(Debug, Clone, Copy)]
pub struct HabitRow {
    pub starts: i64,
    /// The longest time between two starts, in seconds.
    pub longest_gap_seconds: Option<i64>,
}

/// How often a domain started pushes since a time.
pub async fn get_habit(
    executor: impl PgExecutor<'_>,
    domain: &str,
    since: DateTime<Utc>,
) -> Result<HabitRow, sqlx::Error> {
    sqlx::query_as!(
        HabitRow,
        r#"select count(*) as "starts!", max(gap_seconds) as longest_gap_seconds
         from (
             select extract(epoch from started_at - lag(started_at) over (order by session_id))::bigint as gap_seconds
             from stream_session
             where domain = $1 and status <> 'unseen' and session_id >= $2
         ) gaps"#,
        domain,
        lowest_id_since(since)
    )
    .fetch_one(executor)
    .await
}
