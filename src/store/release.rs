//! Releases: events that release quarantined callbacks; and counts of those that are not released.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::event::QuarantineReason;

/// A release to append.
#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// The shard of the quarantined event, and so of the release.
    pub shard: i16,
    pub original_position: i64,
    pub event_id: Uuid,
    pub received_at: DateTime<Utc>,
    pub actor: String,
    pub note: Option<String>,
}

/// Appends a release: the next event of its shard, with the content of the quarantined event. It becomes the first use
/// of its signature, unless one exists. One statement, which commits by itself. False when the quarantined event does
/// not exist.
pub async fn insert_release(executor: impl PgExecutor<'_>, release: &ReleaseRow) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select append_release($1, $2, $3, $4, $5, $6) as "appended!""#,
        release.shard,
        release.original_position,
        release.event_id,
        release.received_at,
        release.actor,
        release.note
    )
    .fetch_one(executor)
    .await
}

/// The number of callbacks that were quarantined for a reason and are not released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRow {
    pub reason: QuarantineReason,
    pub messages: i64,
}

/// The callbacks that were quarantined since a time and are not released, by reason. Stops counting at `most`.
pub async fn count_waiting(
    executor: impl PgExecutor<'_>,
    since: DateTime<Utc>,
    most: i64,
) -> Result<Vec<WaitingRow>, sqlx::Error> {
    sqlx::query_as!(
        WaitingRow,
        r#"select reason as "reason!: QuarantineReason", count(*) as "messages!"
         from (
             select reason from log_entry entry
             where disposition = 'quarantined' and recorded_at >= $1
               and not exists (
                   select from log_entry release
                   where release.shard = entry.shard and release.original_event_id = entry.event_id
                     and release.recorded_at >= $1
               )
             limit $2
         ) waiting
         group by reason"#,
        since,
        most
    )
    .fetch_all(executor)
    .await
}
