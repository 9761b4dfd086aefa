//! What folding has changed, as the log tells: no session is written but for an entry of it.

use sqlx::PgExecutor;

use super::session::SessionRow;

/// How far each shard is folded, in their order.
///
/// # Errors
/// Those of the database.
pub async fn list_folded_positions(executor: impl PgExecutor<'_>) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!("select position from fold_progress order by shard").fetch_all(executor).await
}

/// The sessions that entries after `from` up to `to` are about, by the shards' positions, in the order in which they
/// were last changed.
///
/// # Errors
/// Those of the database.
pub async fn list_changed_sessions(
    executor: impl PgExecutor<'_>,
    from: &[i64],
    to: &[i64],
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let shards: Vec<i16> = (0..).take(from.len()).collect();
    sqlx::query_as!(
        SessionRow,
        "select session.* from stream_session session
         where (session.shard, session.session_id) in (
                 select entry.shard, entry.session_id
                 from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as stretch (shard, after_position, to_position)
                 join log_entry entry on entry.shard = stretch.shard
                     and entry.position > stretch.after_position and entry.position <= stretch.to_position
             )
             and session.status <> 'unseen'
         order by session.last_recorded_at, session.shard, session.last_position",
        &shards,
        from,
        to
    )
    .fetch_all(executor)
    .await
}
