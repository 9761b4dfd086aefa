//! Which sessions folding has changed. The log has the answer: only an event changes a session.

use sqlx::PgExecutor;
use uuid::Uuid;

/// The folded position of each shard, ordered by shard.
pub async fn list_folded_positions(executor: impl PgExecutor<'_>) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!("select position from fold_progress order by shard").fetch_all(executor).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedSessionRow {
    pub shard: i16,
    pub session_id: Uuid,
}

/// The sessions of the events after positions `from` up to `to` (one position for each shard), in the order of the last
/// of these events.
pub async fn list_changed_sessions(
    executor: impl PgExecutor<'_>,
    from: &[i64],
    to: &[i64],
) -> Result<Vec<ChangedSessionRow>, sqlx::Error> {
    let shards: Vec<i16> = (0..).take(from.len()).collect();
    sqlx::query_as!(
        ChangedSessionRow,
        "select entry.shard, entry.session_id
         from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as stretch (shard, after_position, to_position)
         join log_entry entry on entry.shard = stretch.shard
             and entry.position > stretch.after_position and entry.position <= stretch.to_position
         group by entry.shard, entry.session_id
         order by max(entry.recorded_at), entry.shard, max(entry.position)",
        &shards,
        from,
        to
    )
    .fetch_all(executor)
    .await
}
