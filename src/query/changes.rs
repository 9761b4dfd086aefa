//! What has changed since a moment that a reader remembers: one position of the log a shard.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::store;
use crate::store::session::SessionRow;

/// How many entries of a shard are looked at in one go.
const STRETCH: i64 = 1_000;

/// How far a reader has seen each shard's log, in the order of shards.
pub type Positions = Vec<i64>;

/// What changed on the way from one moment to a later one.
pub struct Changes {
    /// The later moment.
    pub to: Positions,
    /// Every session that changed, as it is now.
    pub sessions: Vec<SessionRow>,
    /// When this was read.
    pub as_of: DateTime<Utc>,
}

/// How far the log is folded.
///
/// # Errors
/// Those of the database.
pub async fn get_positions(pool: &PgPool) -> Result<Positions, sqlx::Error> {
    store::change::list_folded_positions(pool).await
}

/// Whether something after `from` is no longer in the log: what it changed cannot be told any more.
///
/// # Errors
/// Those of the database.
pub async fn is_forgotten(pool: &PgPool, from: &Positions) -> Result<bool, sqlx::Error> {
    let horizons = store::retention::list_horizons(pool).await?;
    Ok(horizons.iter().zip(from).any(|(horizon, from)| horizon.position > *from))
}

/// What has changed after `from`, as far as that is folded, or the first of it if it is much.
///
/// # Errors
/// Those of the database.
pub async fn list_changes(pool: &PgPool, from: &Positions) -> Result<Changes, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let folded = store::change::list_folded_positions(&mut *snapshot).await?;
    let to: Positions =
        folded.iter().zip(from).map(|(folded, from)| (*folded).clamp(*from, from.saturating_add(STRETCH))).collect();
    let sessions =
        if to == *from { Vec::new() } else { store::change::list_changed_sessions(&mut *snapshot, from, &to).await? };
    snapshot.commit().await?;
    Ok(Changes { to, sessions, as_of })
}

/// Whether an entry of the log is folded.
///
/// # Errors
/// Those of the database.
pub async fn is_folded(pool: &PgPool, shard: i16, position: i64) -> Result<bool, sqlx::Error> {
    let folded = store::change::list_folded_positions(pool).await?;
    let of_shard = usize::try_from(shard).ok().and_then(|shard| folded.get(shard));
    Ok(of_shard.is_some_and(|folded| *folded >= position))
}
