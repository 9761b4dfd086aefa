//! Releases: entries of the log that let quarantined ones count.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::event::EventRow;

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
/// its signature, unless there was one. One statement, which commits by itself.
///
/// # Errors
/// Those of the database; `RowNotFound` when the quarantined entry is not there.
pub async fn insert_release(executor: impl PgExecutor<'_>, release: &ReleaseRow) -> Result<EventRow, sqlx::Error> {
    sqlx::query_as!(
        EventRow,
        r#"with original as (
             select * from log_entry where shard = $1 and position = $2 and disposition = 'quarantined'
         ),
         taken as (
             select head.shard, head.recorded_at from shard_head head join original using (shard) for update of head
         ),
         advanced as (
             update shard_head head
             set position = head.position + 1, recorded_at = greatest(head.recorded_at, clock_timestamp())
             from taken where head.shard = taken.shard
             returning head.shard, head.position, head.recorded_at, taken.recorded_at as until
         )
         insert into log_entry (
             shard, position, recorded_at, received_at, event_id, session_id, domain, app, stream,
             publish_timestamp, origin, event, disposition, reason, signature, key_id, auth_timestamp, auth_sign,
             client_ip, node_ip, source_ip, user_args, rendition_template, extra, blanked, actor, note,
             original_event_id, original_event, original_received_at, signature_tag
         )
         select advanced.shard, advanced.position, advanced.recorded_at, $3, $4, original.session_id, domain, app, stream,
             original.publish_timestamp, 'operator', 'RELEASED', 'released', reason, signature, key_id, auth_timestamp, auth_sign,
             client_ip, node_ip, source_ip, user_args, rendition_template, extra, blanked, $5, $6,
             original.event_id, original.event, original.received_at,
             case when first_use.ordinal is null then tag.of_original end
         from original join advanced using (shard)
         cross join lateral (
             select ('x' || encode(substring(original.auth_sign for 8), 'hex'))::bit(64)::bigint as of_original
         ) tag
         left join lateral first_uses(
             array [advanced.shard], array [original.shard], array [original.auth_timestamp], array [tag.of_original],
             '-infinity', advanced.until) first_use on true
         returning shard, position, event_id, session_id, domain, app, stream, publish_timestamp, event, received_at,
             recorded_at, disposition, reason, signature, key_id, auth_timestamp, actor, note, client_ip, node_ip,
             source_ip, user_args, original_event_id, null::timestamptz as released_at"#,
        release.shard,
        release.original_position,
        release.received_at,
        release.event_id,
        release.actor,
        release.note
    )
    .fetch_one(executor)
    .await
}
