//! Quarantined callbacks that wait for an operator, in groups.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::model::event::QuarantineReason;

/// The waiting callbacks of one domain and reason.
#[derive(Debug, Clone)]
pub struct QuarantineGroupRow {
    pub domain: String,
    pub reason: QuarantineReason,
    pub count: i64,
    pub first_received_at: DateTime<Utc>,
    pub last_received_at: DateTime<Utc>,
}

/// Groups of the newest quarantined callbacks that are not released, at most `most` of them; the largest group first.
pub async fn list_quarantine_groups(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    most: i64,
) -> Result<Vec<QuarantineGroupRow>, sqlx::Error> {
    sqlx::query_as!(
        QuarantineGroupRow,
        r#"select domain, reason as "reason!", count(*) as "count!", min(received_at) as "first_received_at!",
                max(received_at) as "last_received_at!"
         from (
             select domain, reason, received_at
             from log_entry entry
             where disposition = 'quarantined' and ($1::text[] is null or domain = any ($1)) and not exists (
                 select from log_entry release
                 where release.shard = entry.shard and release.original_event_id = entry.event_id)
             order by recorded_at desc
             limit $2
         ) newest
         where reason is not null
         group by domain, reason
         order by count(*) desc, domain, reason"#,
        visible_domains,
        most
    )
    .fetch_all(executor)
    .await
}
