//! Quarantined callbacks that wait for an operator.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::event::QuarantineReason;

/// A quarantined callback that is not released.
#[derive(Debug, Clone)]
pub struct QuarantinedRow {
    pub event_id: Uuid,
    pub session_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    pub event: String,
    pub reason: QuarantineReason,
    pub received_at: DateTime<Utc>,
}

/// The newest quarantined callbacks that are not released, newest first, at most `most`.
pub async fn list_quarantined(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    most: i64,
) -> Result<Vec<QuarantinedRow>, sqlx::Error> {
    sqlx::query_as!(
        QuarantinedRow,
        r#"select event_id, session_id, domain, app, stream, publish_timestamp, event, reason as "reason!", received_at
         from log_entry entry
         where disposition = 'quarantined' and ($1::text[] is null or domain = any ($1)) and not exists (
             select from log_entry release
             where release.shard = entry.shard and release.original_event_id = entry.event_id)
         order by recorded_at desc
         limit $2"#,
        visible_domains,
        most
    )
    .fetch_all(executor)
    .await
}
