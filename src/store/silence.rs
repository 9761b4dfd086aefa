//! Domains of which nothing is heard any more.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// A domain that is silent for longer than it ever was of late.
#[derive(Debug, Clone)]
pub struct SilenceRow {
    /// The domain.
    pub domain: String,
    /// When its newest push began.
    pub last_started_at: DateTime<Utc>,
    /// The longest time without a start before that, in seconds.
    pub habit_seconds: i64,
}

/// What counts as silence.
#[derive(Debug, Clone, Copy)]
pub struct SilenceRule {
    /// The moment to look from.
    pub now: DateTime<Utc>,
    /// The habit is that of the starts since then.
    pub habit_since: DateTime<Utc>,
    /// The fewest of them that make a habit.
    pub fewest_starts: i64,
    /// Whoever began a push since then is not silent, whatever the habit.
    pub heard_since: DateTime<Utc>,
}

/// The registered domains that are silent, by name.
///
/// The starts of a domain are read only when it is silent at all.
///
/// # Errors
/// Those of the database.
pub async fn list_silent_domains(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    rule: SilenceRule,
) -> Result<Vec<SilenceRow>, sqlx::Error> {
    sqlx::query_as!(
        SilenceRow,
        r#"select domain.domain, last.started_at as "last_started_at!", habit.seconds as "habit_seconds!"
         from ingest_domain domain
         cross join lateral (
             select started_at from stream_session
             where domain = domain.domain and status <> 'unseen'
             order by started_at desc
             limit 1
         ) last
         cross join lateral (
             select count(*) as starts, max(gap_seconds) as seconds
             from (
                 select extract(epoch from started_at - lag(started_at) over (order by started_at))::bigint as gap_seconds
                 from stream_session
                 where domain = domain.domain and status <> 'unseen' and started_at >= $3
             ) gaps
         ) habit
         where ($1::text[] is null or domain.domain = any ($1))
           and last.started_at < $5
           and habit.starts >= $4
           and extract(epoch from $2::timestamptz - last.started_at)::bigint > habit.seconds
         order by domain.domain"#,
        visible_domains,
        rule.now,
        rule.habit_since,
        rule.fewest_starts,
        rule.heard_since
    )
    .fetch_all(executor)
    .await
}
