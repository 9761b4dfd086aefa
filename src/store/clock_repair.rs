//! Moves events that were recorded in the future to the present.
//!
//! Positions do not change, so the order stays. Each later time becomes the present, in the log and in the tables
//! folded from it, so the times of a shard still grow with its positions.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

/// The number of events that were recorded after a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AheadRow {
    pub events: i64,
    pub shards: i64,
    /// When the newest of them was recorded; `None` when there is none.
    pub newest: Option<DateTime<Utc>>,
}

pub async fn get_events_after(executor: impl PgExecutor<'_>, time: DateTime<Utc>) -> Result<AheadRow, sqlx::Error> {
    sqlx::query_as!(
        AheadRow,
        r#"select count(*) as "events!", count(distinct shard) as "shards!", max(recorded_at) as newest
           from log_entry where recorded_at > $1"#,
        time
    )
    .fetch_one(executor)
    .await
}

/// Sets every recorded time after `present` to `present`. The caller must hold the heads of all shards and the locks of
/// folding.
pub async fn update_times_after(connection: &mut PgConnection, present: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("update log_entry set recorded_at = $1 where recorded_at > $1", present)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("update shard_head set recorded_at = $1 where recorded_at > $1", present)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("update fold_progress set recorded_at = $1 where recorded_at > $1", present)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("update log_horizon set recorded_at = $1 where recorded_at > $1", present)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "update stream_session
         set seen_at = case when seen_at > $1 then $1 else seen_at end,
             outcome_at = case when outcome_at > $1 then $1 else outcome_at end, last_recorded_at = $1
         where last_recorded_at > $1",
        present
    )
    .execute(&mut *connection)
    .await?;
    // Deletes outcomes that were valid only in the future.
    sqlx::query!("delete from session_outcome where known_from >= $1", present).execute(&mut *connection).await?;
    sqlx::query!("update session_outcome set known_until = $1 where known_until > $1", present)
        .execute(&mut *connection)
        .await?;
    Ok(())
}
