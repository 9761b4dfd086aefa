//! Releases: entries of the log that let quarantined ones count.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// A release that is to be appended.
#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// The shard of the quarantined entry, and so of this one.
    pub shard: i16,
    /// The position of the quarantined entry.
    pub original_position: i64,
    /// The id of this one.
    pub event_id: Uuid,
    /// The service's clock.
    pub received_at: DateTime<Utc>,
    /// The operator.
    pub actor: String,
    /// The operator's reason.
    pub note: Option<String>,
}

/// Appends a release: the next entry of its shard, with what the quarantined entry says. It counts as the first use of
/// its signature, unless there was one. One statement, which commits by itself. False when the quarantined entry is not
/// there.
///
/// # Errors
/// Those of the database.
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
