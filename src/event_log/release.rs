//! An operator releases quarantined callbacks, one or many: they count from then on.
//!
//! The log is append-only: a release is a new event that repeats the content of the quarantined one. It is folded
//! exactly as if the callback had been accepted when it arrived. The database releases an event at most once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::model::event::{QuarantineReason, ReleaseOutcome};
use crate::store;
use crate::store::event::EventRow;
use crate::store::pool::{self, PoolRole};
use crate::store::release::{NewReleasesRow, ReleaseSelection, UnreleasedRow};
use crate::telemetry::metrics::RELEASED_MESSAGES;

/// The most releases of one commit, during which receiving waits for the head of a shard.
const MAX_BATCH: usize = 20;

/// How many events are read, and then released, at a time.
const MAX_READ: i64 = 10_000;

/// The most callbacks that one request releases: these take a few seconds.
pub const MAX_OF_REQUEST: i64 = 10_000;

/// Which callbacks to release, and why.
#[derive(Debug, Clone)]
pub struct BulkRelease {
    pub selection: ReleaseSelection,
    /// The operator's reason.
    pub note: Option<String>,
    /// The most callbacks to release.
    pub limit: i64,
}

/// What became of a bulk release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkReleased {
    /// The callbacks of the selection that were not released before.
    pub matching: i64,
    /// How many of them this call released; others may have released the rest.
    pub released: i64,
}

/// Why a callback was not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// There is no quarantined callback with this id.
    #[error("there is no such quarantined event")]
    NotQuarantined,
    #[error("the event was released before")]
    ReleasedBefore,
    /// The database failed.
    #[error("the release cannot be stored")]
    Database(#[from] sqlx::Error),
}

/// Releases a quarantined callback; returns the event of the release, which is durable.
///
/// # Errors
/// [`ReleaseError`]. After an error of the database, the callback may or may not be released; try again to find out.
pub async fn release(
    pool: &PgPool,
    actor: &Actor,
    event_id: Uuid,
    note: Option<String>,
    now: DateTime<Utc>,
) -> Result<EventRow, ReleaseError> {
    let mut connection = pool.acquire().await?;
    let original = store::event::get_quarantined_event(&mut *connection, event_id).await?;
    let original = original.ok_or(ReleaseError::NotQuarantined)?;
    // Not the check that counts, but it saves the entry in the audit log.
    if original.released_at.is_some() {
        return Err(ReleaseError::ReleasedBefore);
    }
    let subject = Subject { domain: Some(&original.domain), id: Some(event_id), details: None };
    audit::record(&mut *connection, actor, now, Act::EventReleased, subject).await?;
    let release_id = Uuid::new_v4();
    let release = NewReleasesRow {
        shard: original.shard,
        original_positions: vec![original.position],
        event_ids: vec![release_id],
        received_at: now,
        actor: actor.name.clone(),
        note,
    };
    let outcomes = store::release::insert_releases(&mut *connection, &release).await?;
    match outcomes.first().map(|row| row.outcome) {
        Some(ReleaseOutcome::Released) => {}
        Some(ReleaseOutcome::ReleasedBefore) => return Err(ReleaseError::ReleasedBefore),
        Some(ReleaseOutcome::NotQuarantined) | None => return Err(ReleaseError::NotQuarantined),
    }
    if let Some(reason) = original.reason {
        count_released(reason, 1);
    }
    Ok(store::event::get_session_event(&mut *connection, original.session_id, release_id).await?)
}

/// Releases the callbacks of a selection that are not released, as received. Releases commit in small batches: after an
/// error, or when this is not polled to its end, another call releases the rest.
///
/// # Errors
/// Those of the database.
pub async fn release_selection(
    pool: &PgPool,
    actor: &Actor,
    request: BulkRelease,
    now: DateTime<Utc>,
) -> Result<BulkReleased, sqlx::Error> {
    let BulkRelease { selection, note, limit } = request;
    let mut connection = connect(pool).await?;
    let matching = store::release::count_unreleased(&mut connection, &selection).await?;
    let wanted = matching.min(limit);
    if wanted == 0 {
        return Ok(BulkReleased { matching, released: 0 });
    }
    let ReleaseSelection { domain, reason, from, to } = &selection;
    let details = json!({ "reason": reason, "note": note, "from": from, "to": to, "count": wanted });
    let subject = Subject { domain: Some(domain), id: None, details: Some(details) };
    audit::record(&mut connection, actor, now, Act::EventsReleased, subject).await?;
    let mut released = 0;
    while released < wanted {
        let limit = MAX_READ.min(wanted - released);
        let unreleased = store::release::list_unreleased(&mut connection, &selection, limit).await?;
        // Others have released the rest.
        if unreleased.is_empty() {
            break;
        }
        for batch in batches(&unreleased, actor, note.as_deref(), now) {
            let outcomes = store::release::insert_releases(&mut connection, &batch).await?;
            let of_batch = outcomes.iter().filter(|row| row.outcome == ReleaseOutcome::Released).count();
            count_released(*reason, of_batch);
            released += i64::try_from(of_batch).unwrap_or(i64::MAX);
        }
    }
    connection.close().await?;
    Ok(BulkReleased { matching, released })
}

/// A connection of its own, with the options of one that drains the spool: they keep the plans of the statements that the
/// database runs for each event, which otherwise take longer to plan than to run.
async fn connect(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
    let installation = store::installation::get_installation(pool).await?.ok_or(sqlx::Error::RowNotFound)?;
    let options = pool::options(&pool.connect_options(), PoolRole::Drain, installation.distributed);
    PgConnection::connect_with(&options).await
}

/// The number of callbacks of a selection that are not released.
///
/// # Errors
/// Those of the database.
pub async fn count_selection(pool: &PgPool, selection: &ReleaseSelection) -> Result<i64, sqlx::Error> {
    store::release::count_unreleased(pool, selection).await
}

/// Divides events into batches of one shard each, in their order. Between shards, the order of releases does not matter:
/// streams that one signature can fit share a shard.
fn batches(unreleased: &[UnreleasedRow], actor: &Actor, note: Option<&str>, now: DateTime<Utc>) -> Vec<NewReleasesRow> {
    let mut by_shard = BTreeMap::<i16, Vec<i64>>::new();
    for UnreleasedRow { shard, position } in unreleased {
        by_shard.entry(*shard).or_default().push(*position);
    }
    let batches = by_shard.iter().flat_map(|(shard, positions)| {
        positions.chunks(MAX_BATCH).map(|positions| NewReleasesRow {
            shard: *shard,
            original_positions: positions.to_vec(),
            event_ids: positions.iter().map(|_| Uuid::new_v4()).collect(),
            received_at: now,
            actor: actor.name.clone(),
            note: note.map(str::to_owned),
        })
    });
    batches.collect()
}

fn count_released(reason: QuarantineReason, number: usize) {
    RELEASED_MESSAGES.counter_of(&[("reason", reason.as_str())]).increment(number as u64);
}

/// Registers the counters, so that they are exported as zero before the first release.
pub fn initialize_metrics() {
    for reason in QuarantineReason::ALL {
        count_released(*reason, 0);
    }
}
