//! One step: folds the next events of some shards.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::{PgConnection, PgPool};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::entry::entry_of;
use super::row::{self, LoadedSession};
use crate::session::fold;
use crate::store;
use crate::store::fold::ProgressRow;
use crate::store::log::EntryRow;

/// The most events that one step folds.
pub const MAX_BATCH: usize = 5_000;

/// How many steps run concurrently, each on its share of the shards: one computes while another waits for the database.
const AT_ONCE: usize = 2;

/// With fewer events than this, one step folds all shards (unless they are distributed): a second step would cost more
/// than it gains.
const WORTH_TWO: i64 = 1_000;

/// Timeout of a step, in case the connection died silently.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the log is not folded to its end.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// An invariant does not hold; the logged panic says which.
    #[error("the log of shard {shard} violates an invariant")]
    Broken { shard: i16 },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepResult {
    pub entries: usize,
    pub unfinished: Vec<i16>,
    pub taken: Vec<i16>,
}

/// Folds the next events of shards, at most `limit` of each.
///
/// # Errors
/// Those of the database; then nothing has changed.
///
/// # Panics
/// When a shard's log violates an invariant.
pub async fn step(pool: &PgPool, shards: &[i16], limit: usize) -> Result<StepResult, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let folded = store::fold::lock_progress(&mut *transaction, shards).await?;
    let is_taken = |shard: &i16| folded.iter().all(|folded| folded.shard != *shard);
    let taken = shards.iter().copied().filter(is_taken).collect();
    if folded.is_empty() {
        return Ok(StepResult { taken, ..StepResult::default() });
    }
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let entries = store::log::list_entries_after(&mut *transaction, &folded, most).await?;
    let advanced = advance(&folded, &entries);
    if advanced.is_empty() {
        return Ok(StepResult { taken, ..StepResult::default() });
    }
    let unfinished = |(progress, entries): &(ProgressRow, usize)| (*entries == limit).then_some(progress.shard);
    let unfinished = advanced.iter().filter_map(unfinished).collect();
    let stepped = StepResult { entries: entries.len(), unfinished, taken };

    let written = row::store(fold_all(&mut transaction, entries).await?.into_values());
    if !written.deleted_sessions.is_empty() {
        store::session::delete_sessions(&mut *transaction, &written.deleted_sessions).await?;
    }
    if !written.inserted_sessions.is_empty() {
        store::session::insert_sessions(&mut *transaction, &written.inserted_sessions).await?;
    }
    if !written.updated_sessions.is_empty() {
        store::session::update_sessions(&mut *transaction, &written.updated_sessions).await?;
    }
    if !written.new_streams.is_empty() {
        store::stream::insert_streams(&mut *transaction, &written.new_streams).await?;
    }
    if !written.earlier_outcomes.is_empty() {
        store::outcome::insert_earlier_outcomes(&mut *transaction, &written.earlier_outcomes).await?;
    }
    let advanced: Vec<_> = advanced.into_iter().map(|(progress, _)| progress).collect();
    store::fold::update_progress(&mut *transaction, &advanced).await?;
    transaction.commit().await?;
    Ok(stepped)
}

/// Folds events into their sessions.
async fn fold_all(
    connection: &mut PgConnection,
    entries: Vec<EntryRow>,
) -> Result<HashMap<Uuid, LoadedSession>, sqlx::Error> {
    let mut session_ids: Vec<_> = entries.iter().map(|entry| (entry.shard, entry.session_id)).collect();
    session_ids.sort_unstable();
    session_ids.dedup();
    let known = store::session::list_sessions_by_id(connection, &session_ids).await?;
    let mut touched: HashMap<Uuid, LoadedSession> =
        known.into_iter().map(|session| (session.session_id, row::load(session))).collect();
    for entry in entries {
        let session = touched.entry(entry.session_id).or_insert_with(|| row::begin(&entry));
        fold(&mut session.state, &entry_of(entry));
    }
    Ok(touched)
}

/// The new progress of each shard that has events, with their number.
///
/// Positions have no gaps: an event that is missing here can never arrive.
fn advance(folded: &[ProgressRow], entries: &[EntryRow]) -> Vec<(ProgressRow, usize)> {
    let folded: HashMap<i16, &ProgressRow> = folded.iter().map(|folded| (folded.shard, folded)).collect();
    let of_shard = |entries: &[EntryRow]| {
        let (first, last) = entries.first().zip(entries.last())?;
        let before = folded.get(&first.shard)?;
        for (expected, entry) in (before.position + 1..).zip(entries) {
            assert_eq!(entry.position, expected, "positions of a shard have no gaps");
            assert!(entry.recorded_at >= before.recorded_at, "events are recorded in the order of their positions");
        }
        let progress = ProgressRow { shard: last.shard, position: last.position, recorded_at: last.recorded_at };
        Some((progress, entries.len()))
    };
    entries.chunk_by(|one, other| one.shard == other.shard).filter_map(of_shard).collect()
}

/// Folds every shard until the whole log is folded, or other processes are folding the rest.
///
/// A shard that cannot be folded does not block the others. Returns the number of events folded.
///
/// # Errors
/// The first shard's error, after the other shards were folded.
pub async fn fold_to_end(pool: &PgPool) -> Result<usize, FoldError> {
    let lagging = timeout(STEP_TIMEOUT, store::fold::list_lagging_shards(pool)).await;
    let lagging = lagging.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    let distributed = lagging.iter().any(|lagging| lagging.distributed);
    let entries: i64 = lagging.iter().map(|lagging| lagging.entries).sum();
    let at_once = if entries < WORTH_TWO && !distributed { 1 } else { AT_ONCE };
    let lagging: Vec<i16> = lagging.into_iter().map(|lagging| lagging.shard).collect();
    let shares = lagging.chunks(lagging.len().div_ceil(at_once).max(1));
    let folded = join_all(shares.map(|shards| fold_share(pool, shards.to_vec(), distributed))).await;
    folded.into_iter().sum()
}

/// Folds shards to their end: together, or, when that fails or they are distributed, one by one.
async fn fold_share(pool: &PgPool, shards: Vec<i16>, distributed: bool) -> Result<usize, FoldError> {
    if !distributed || shards.len() == 1 {
        let together = fold_shards(pool, shards.clone()).await;
        if together.is_ok() || shards.len() == 1 {
            return together;
        }
    }
    let (mut folded, mut failed) = (0, None);
    for shard in shards {
        match fold_shards(pool, vec![shard]).await {
            Ok(entries) => folded += entries,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(folded), Err)
}

/// Folds shards to their end in a separate task, so that a violated invariant stops neither the other shards nor the
/// service.
async fn fold_shards(pool: &PgPool, shards: Vec<i16>) -> Result<usize, FoldError> {
    let pool = pool.clone();
    let first = shards.first().copied().unwrap_or_default();
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        let (mut folded, mut lagging) = (0, shards);
        while !lagging.is_empty() {
            let limit = MAX_BATCH.div_ceil(lagging.len());
            let stepped = timeout(STEP_TIMEOUT, step(&pool, &lagging, limit)).await;
            let stepped = stepped.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
            folded += stepped.entries;
            lagging = stepped.unfinished;
        }
        Ok(folded)
    }));
    task.await.unwrap_or(Err(FoldError::Broken { shard: first }))
}
