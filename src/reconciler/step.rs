//! One step: a shard's next entries, folded.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use sqlx::PgPool;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::row::{self, Touched};
use crate::event_log::read;
use crate::session::fold;
use crate::store;
use crate::store::fold::ProgressRow;
use crate::store::log::EntryRow;

/// The most entries that one step folds.
pub const MOST_AT_ONCE: i64 = 5_000;

/// How many shards are folded at a time: while one waits for the database, another is computed.
const AT_ONCE: usize = 2;

/// How long a step may take: a connection may have died without a word.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why the log is not folded to its end.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// An invariant does not hold; the panic that was printed says which.
    #[error("the log of shard {shard} breaks an invariant")]
    Broken {
        /// The shard.
        shard: i16,
    },
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// It folded this many entries; there may be more.
    Folded(usize),
    /// There was nothing to fold.
    CaughtUp,
    /// Another folder has the shard.
    Taken,
}

/// Folds the next entries of a shard, at most `limit`.
///
/// # Errors
/// Those of the database; then nothing has changed.
pub async fn step(pool: &PgPool, shard: i16, limit: i64) -> Result<StepOutcome, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    store::fold::set_commit_asynchronous(&mut *transaction).await?;
    let Some(folded) = store::fold::lock_progress(&mut *transaction, shard).await? else {
        return Ok(StepOutcome::Taken);
    };
    let entries =
        store::log::list_entries_after(&mut *transaction, shard, folded.position, folded.recorded_at, limit).await?;
    let Some(last) = entries.last() else { return Ok(StepOutcome::CaughtUp) };
    let progress = ProgressRow { position: last.position, recorded_at: last.recorded_at };
    assert_gapless(folded, &entries);
    let count = entries.len();

    let mut session_ids: Vec<Uuid> = entries.iter().map(|entry| entry.session_id).collect();
    session_ids.sort_unstable();
    session_ids.dedup();
    let known = store::session::list_sessions_by_id(&mut *transaction, shard, &session_ids).await?;
    let mut touched: HashMap<Uuid, Touched> =
        known.into_iter().map(|session| (session.session_id, row::load(session))).collect();
    for entry in entries {
        let session = touched.entry(entry.session_id).or_insert_with(|| row::begin(&entry));
        fold(&mut session.state, &read::entry_of(entry));
    }

    let written = row::store(shard, touched.into_values());
    store::session::upsert_sessions(&mut *transaction, shard, &written.sessions).await?;
    if !written.new_streams.is_empty() {
        store::stream::insert_streams(&mut *transaction, shard, &written.new_streams).await?;
    }
    if !written.earlier_outcomes.is_empty() {
        store::outcome::insert_earlier_outcomes(&mut *transaction, shard, &written.earlier_outcomes).await?;
    }
    store::fold::update_progress(&mut *transaction, shard, progress).await?;
    transaction.commit().await?;
    Ok(StepOutcome::Folded(count))
}

/// Folds every shard until the whole log is folded, or is being folded by others.
///
/// A shard that cannot be folded does not keep the others waiting. Gives the number of entries folded.
///
/// # Errors
/// The first of the shards that could not be folded, after the others were.
pub async fn fold_to_end(pool: &PgPool) -> Result<usize, FoldError> {
    let (mut folded, mut failed) = (0, None);
    let lagging = timeout(PATIENCE, store::fold::list_lagging_shards(pool)).await;
    let lagging = lagging.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    // In a task of its own, a broken invariant of one shard stops neither the others nor the service.
    let fold = |shard| {
        let task = AbortOnDropHandle::new(tokio::spawn(fold_shard_to_end(pool.clone(), shard)));
        async move { (shard, task.await) }
    };
    let mut steps = stream::iter(lagging).map(fold).buffer_unordered(AT_ONCE);
    while let Some((shard, stepped)) = steps.next().await {
        match stepped {
            Ok(Ok(entries)) => folded += entries,
            Ok(Err(error)) => failed = failed.or(Some(error.into())),
            Err(_) => failed = failed.or(Some(FoldError::Broken { shard })),
        }
    }
    failed.map_or(Ok(folded), Err)
}

async fn fold_shard_to_end(pool: PgPool, shard: i16) -> Result<usize, sqlx::Error> {
    let mut folded = 0;
    loop {
        let stepped = timeout(PATIENCE, step(&pool, shard, MOST_AT_ONCE)).await;
        let StepOutcome::Folded(entries) = stepped.unwrap_or(Err(sqlx::Error::PoolTimedOut))? else { break };
        folded += entries;
        if i64::try_from(entries).is_ok_and(|entries| entries < MOST_AT_ONCE) {
            break;
        }
    }
    Ok(folded)
}

/// Positions have no gaps: an entry that is not here yet can never come.
fn assert_gapless(folded: ProgressRow, entries: &[EntryRow]) {
    for (expected, entry) in (folded.position + 1..).zip(entries) {
        assert_eq!(entry.position, expected, "positions of a shard follow each other without a gap");
        assert!(entry.recorded_at >= folded.recorded_at, "entries are recorded in the order of their positions");
    }
}
