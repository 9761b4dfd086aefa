//! The horizon of each shard, up to which its log is dropped and redacted.
//!
//! Invariant: events are folded before they are redacted, and redacted before they are dropped.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::column;

/// The horizon of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HorizonRow {
    pub shard: i16,
    /// Position of the last event that was dropped; 0 before the first.
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    /// Position of the last event whose personal fields were redacted; 0 before the first.
    pub personal_position: i64,
}

/// The horizon of each shard, ordered by shard.
pub async fn list_horizons(executor: impl PgExecutor<'_>) -> Result<Vec<HorizonRow>, sqlx::Error> {
    sqlx::query_as!(
        HorizonRow,
        "select shard, position, recorded_at, personal_position from log_horizon order by shard"
    )
    .fetch_all(executor)
    .await
}

/// Locks retention for this transaction; false when another process runs retention, or holds the log unchanged
/// ([`lock_retention`]).
pub async fn try_lock_retention(executor: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('streamtally: retention')) as "locked!""#)
        .fetch_one(executor)
        .await
}

/// Blocks retention until this connection closes; several connections may do so. Waits for a running transaction of
/// retention.
pub async fn lock_retention(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_lock_shared(hashtext('streamtally: retention'))").execute(executor).await?;
    Ok(())
}

/// Allows retention again.
pub async fn unlock_retention(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_unlock_shared(hashtext('streamtally: retention'))").fetch_one(executor).await?;
    Ok(())
}

/// The positions between which a shard can be redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnredactedRow {
    pub redacted: i64,
    pub folded: i64,
}

/// Locks a shard for this transaction, waiting for the process that folds it.
pub async fn lock_unredacted(executor: impl PgExecutor<'_>, shard: i16) -> Result<UnredactedRow, sqlx::Error> {
    sqlx::query_as!(
        UnredactedRow,
        "select horizon.personal_position as redacted, progress.position as folded
         from fold_progress progress join log_horizon horizon using (shard)
         where shard = $1
         for update of progress",
        shard
    )
    .fetch_one(executor)
    .await
}

/// Consecutive events of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRange {
    pub shard: i16,
    pub after: i64,
    pub last: i64,
    /// They were recorded before this time, which excludes newer months from the search.
    pub recorded_before: DateTime<Utc>,
}

/// Position of the last event in a range; `None` when it is empty.
pub async fn get_last_position(executor: impl PgExecutor<'_>, range: EntryRange) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select max(position) from log_entry
         where shard = $1 and position > $2 and position <= $3 and recorded_at < $4",
        range.shard,
        range.after,
        range.last,
        range.recorded_before
    )
    .fetch_one(executor)
    .await
}

/// Redacts the personal fields of events.
pub async fn redact_entries(executor: impl PgExecutor<'_>, range: EntryRange) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update log_entry
         set blanked = blanked or num_nonnulls(client_ip, node_ip, user_args) > 0,
             client_ip = null, node_ip = null, source_ip = null, user_args = null, extra = null
         where shard = $1 and position > $2 and position <= $3 and recorded_at < $4
           and num_nonnulls(client_ip, node_ip, source_ip, user_args, extra) > 0",
        range.shard,
        range.after,
        range.last,
        range.recorded_before
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Redacts the personal fields of these events' sessions.
pub async fn redact_sessions(executor: impl PgExecutor<'_>, range: EntryRange) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update stream_session
         set blanked = true, client_ip = null, node_ip = null, client_address = null, node_address = null, user_args = null
         where shard = $1
           and session_id in (
               select session_id from log_entry
               where shard = $1 and position > $2 and position <= $3 and recorded_at < $4)
           and num_nonnulls(client_ip, node_ip, client_address, node_address, user_args) > 0",
        range.shard,
        range.after,
        range.last,
        range.recorded_before
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Saves the position up to which a shard is redacted.
pub async fn update_personal_position(
    executor: impl PgExecutor<'_>,
    shard: i16,
    position: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update log_horizon set personal_position = $2 where shard = $1", shard, position)
        .execute(executor)
        .await?;
    Ok(())
}

/// When the newest event of the log was recorded; `None` before the first.
pub async fn get_newest_recorded_at(executor: impl PgExecutor<'_>) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select max(recorded_at) from shard_head where position > 0").fetch_one(executor).await
}

/// Sets short timeouts for this transaction, for locks and for its client: appends wait behind it.
///
/// # Errors
/// Those of the database. A later statement fails with `55P03` when a lock times out.
pub async fn set_impatient(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select set_config('lock_timeout', '500ms', true) as locks,
             set_config('statement_timeout', '2s', true) as statements,
             set_config('idle_in_transaction_session_timeout', '1s', true) as client"
    )
    .fetch_one(executor)
    .await?;
    Ok(())
}

/// Blocks all appends and reads until the end of the transaction.
pub async fn lock_log(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("lock table only log_entry in access exclusive mode").execute(executor).await?;
    Ok(())
}

/// The last event of a shard in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastEntryRow {
    pub shard: i16,
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    /// Position of the shard's last event that was dropped.
    pub dropped: i64,
    /// Position of the shard's last event that was redacted.
    pub redacted: i64,
}

/// The last event that was recorded in a period, for each shard that has one.
pub async fn list_last_entries(
    executor: impl PgExecutor<'_>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<LastEntryRow>, sqlx::Error> {
    sqlx::query_as!(
        LastEntryRow,
        "select horizon.shard, last.position, last.recorded_at, horizon.position as dropped,
             horizon.personal_position as redacted
         from log_horizon horizon
         cross join lateral (
             select position, recorded_at from log_entry
             where shard = horizon.shard and recorded_at >= $1 and recorded_at < $2
             order by position desc
             limit 1
         ) last",
        from,
        to
    )
    .fetch_all(executor)
    .await
}

/// Moves the horizons: these events and all before them are dropped.
pub async fn update_horizons(executor: impl PgExecutor<'_>, dropped: &[LastEntryRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update log_horizon horizon set position = dropped.position, recorded_at = dropped.recorded_at
         from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as dropped (shard, position, recorded_at)
         where horizon.shard = dropped.shard",
        &column(dropped, |entry| entry.shard),
        &column(dropped, |entry| entry.position),
        &column(dropped, |entry| entry.recorded_at)
    )
    .execute(executor)
    .await?;
    Ok(())
}
