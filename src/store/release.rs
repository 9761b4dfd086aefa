//! Releases: events that release quarantined callbacks; and counts of those that are not released.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::event::{QuarantineReason, ReleaseOutcome};

/// Releases to append to one shard, in this order.
#[derive(Debug, Clone)]
pub struct NewReleasesRow {
    /// The shard of the quarantined events, and so of the releases.
    pub shard: i16,
    pub original_positions: Vec<i64>,
    /// The ids of the releases, in the order of `original_positions`.
    pub event_ids: Vec<Uuid>,
    pub received_at: DateTime<Utc>,
    pub actor: String,
    pub note: Option<String>,
}

/// What became of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseOutcomeRow {
    pub original_position: i64,
    pub outcome: ReleaseOutcome,
}

/// Appends releases: each the next event of its shard, with the content of the quarantined event. It becomes the first
/// use of its signature, unless one exists. Each event is released at most once. One statement, which commits by itself.
pub async fn insert_releases(
    executor: impl PgExecutor<'_>,
    releases: &NewReleasesRow,
) -> Result<Vec<ReleaseOutcomeRow>, sqlx::Error> {
    sqlx::query_as!(
        ReleaseOutcomeRow,
        r#"select original_position as "original_position!", outcome as "outcome!: ReleaseOutcome"
           from append_releases($1, $2, $3, $4, $5, $6)"#,
        releases.shard,
        &releases.original_positions,
        &releases.event_ids,
        releases.received_at,
        releases.actor,
        releases.note
    )
    .fetch_all(executor)
    .await
}

/// Which quarantined callbacks an operator releases together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSelection {
    pub domain: String,
    pub reason: QuarantineReason,
    /// Received since then, ...
    pub from: DateTime<Utc>,
    /// ... and before then.
    pub to: DateTime<Utc>,
}

/// No event is recorded before it is received. With a day of clock skew allowed, this excludes older months.
const CLOCK_SKEW: TimeDelta = TimeDelta::days(1);

/// A quarantined event that is not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreleasedRow {
    pub shard: i16,
    pub position: i64,
}

/// The events of a selection that are not released, as received, at most `limit`.
pub async fn list_unreleased(
    executor: impl PgExecutor<'_>,
    selection: &ReleaseSelection,
    limit: i64,
) -> Result<Vec<UnreleasedRow>, sqlx::Error> {
    sqlx::query_as!(
        UnreleasedRow,
        "select shard, position from log_entry entry
         where disposition = 'quarantined' and domain = $1 and reason = $2
           and received_at >= $3 and received_at < $4 and recorded_at >= $5
           and not exists (
               select from log_entry release
               where release.shard = entry.shard and release.original_event_id = entry.event_id
           )
         order by received_at, shard, position
         limit $6",
        selection.domain,
        selection.reason as _,
        selection.from,
        selection.to,
        selection.from - CLOCK_SKEW,
        limit
    )
    .fetch_all(executor)
    .await
}

/// The number of events of a selection that are not released.
pub async fn count_unreleased(executor: impl PgExecutor<'_>, selection: &ReleaseSelection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from log_entry entry
         where disposition = 'quarantined' and domain = $1 and reason = $2
           and received_at >= $3 and received_at < $4 and recorded_at >= $5
           and not exists (
               select from log_entry release
               where release.shard = entry.shard and release.original_event_id = entry.event_id
           )"#,
        selection.domain,
        selection.reason as _,
        selection.from,
        selection.to,
        selection.from - CLOCK_SKEW
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
