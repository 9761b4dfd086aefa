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
        r#"select session.shard as "shard!", session.session_id as "session_id!", session.stream_id as "stream_id!",
                session.domain as "domain!", session.app as "app!", session.stream as "stream!",
                session.publish_timestamp as "publish_timestamp!", session.started_at as "started_at!",
                session.start_received_at, session.start_deliveries as "start_deliveries!",
                session.end_received_at, session.end_deliveries as "end_deliveries!", session.end_noticed_at,
                session.superseded_at, session.timed_out_at, session.operator_ended_at,
                session.quarantined_messages as "quarantined_messages!", session.key_conflict as "key_conflict!",
                session.client_ip, session.node_ip, session.user_args, session.rendition_template,
                session.status as "status!", session.ended_at, session.ended_at_source, session.flags as "flags!",
                session.last_position as "last_position!", session.last_recorded_at as "last_recorded_at!"
         from (
             select distinct entry.shard, entry.session_id
             from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as stretch (shard, after_position, up_to_position)
             join log_entry entry on entry.shard = stretch.shard
                 and entry.position > stretch.after_position and entry.position <= stretch.up_to_position
         ) touched
         join stream_session session using (shard, session_id)
         where session.status <> 'unseen'
         order by session.last_recorded_at, session.shard, session.last_position"#,
        &shards,
        from,
        to
    )
    .fetch_all(executor)
    .await
}
