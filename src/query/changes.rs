//! What has changed since a moment that a reader remembers: one position of the log a shard.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use crate::model::session::Status;
use crate::store;
use crate::store::change::ChangedSessionRow;
use crate::store::session::SessionRow;

/// How many entries of a shard are looked at in one go, for all listeners together.
const STRETCH: i64 = 1_000;

/// The same for one listener, who keeps the sessions' ids in memory while they are read.
const BACKLOG_STRETCH: i64 = 64;

/// How far a reader has seen each shard's log, in the order of shards.
pub type Positions = Vec<i64>;

/// Which sessions changed on the way from one moment to a later one.
#[derive(Debug)]
pub struct Changed {
    pub to: Positions,
    /// Every session that changed, in the order of their last changes.
    pub sessions: Vec<ChangedSessionRow>,
}

/// Sessions that have changed.
#[derive(Debug)]
pub struct Changes {
    pub sessions: Vec<SessionRow>,
    pub as_of: DateTime<Utc>,
}

/// How far the log is folded.
pub async fn get_positions(pool: &PgPool) -> Result<Positions, sqlx::Error> {
    store::change::list_folded_positions(pool).await
}

/// Whether something after `from` is no longer in the log: what it changed cannot be told any more.
pub async fn is_forgotten(pool: &PgPool, from: &Positions) -> Result<bool, sqlx::Error> {
    let horizons = store::retention::list_horizons(pool).await?;
    Ok(horizons.iter().zip(from).any(|(horizon, from)| horizon.position > *from))
}

/// What has changed after `from` up to a later moment, as far as that is folded, or the first of it if it is much.
pub async fn list_changes(pool: &PgPool, from: &Positions) -> Result<(Positions, Changes), sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let Changed { to, sessions } = find_changed(&mut snapshot, from, STRETCH).await?;
    let changes = read_changed(&mut snapshot, &sessions).await?;
    snapshot.commit().await?;
    Ok((to, changes))
}

/// Which sessions have changed after `from`, as far as that is folded, or the first of them if they are many: so few that
/// each listener can keep them.
pub async fn list_backlog(pool: &PgPool, from: &Positions) -> Result<Changed, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let changed = find_changed(&mut snapshot, from, BACKLOG_STRETCH).await?;
    snapshot.commit().await?;
    Ok(changed)
}

/// Some sessions of a backlog that reaches up to `to`. `None` when they are read from a replica that has not come to it: they
/// could be as they were before.
pub async fn read_backlog(
    pool: &PgPool,
    to: &Positions,
    sessions: &[ChangedSessionRow],
) -> Result<Option<Changes>, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let folded = store::change::list_folded_positions(&mut *snapshot).await?;
    let changes = read_changed(&mut snapshot, sessions).await?;
    snapshot.commit().await?;
    let has_come_to_it = folded.iter().zip(to).all(|(folded, to)| folded >= to);
    Ok(has_come_to_it.then_some(changes))
}

async fn find_changed(snapshot: &mut PgConnection, from: &Positions, most: i64) -> Result<Changed, sqlx::Error> {
    let folded = store::change::list_folded_positions(&mut *snapshot).await?;
    let to: Positions =
        folded.iter().zip(from).map(|(folded, from)| (*folded).clamp(*from, from.saturating_add(most))).collect();
    let sessions =
        if to == *from { Vec::new() } else { store::change::list_changed_sessions(&mut *snapshot, from, &to).await? };
    Ok(Changed { to, sessions })
}

async fn read_changed(snapshot: &mut PgConnection, sessions: &[ChangedSessionRow]) -> Result<Changes, sqlx::Error> {
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let ids: Vec<_> = sessions.iter().map(|session| (session.shard, session.session_id)).collect();
    let mut sessions = store::session::list_sessions_by_id(&mut *snapshot, &ids).await?;
    sessions.retain(|session| session.status != Status::Unseen);
    sessions.sort_by_key(|session| (session.last_recorded_at, session.shard, session.last_position));
    Ok(Changes { sessions, as_of })
}

/// Whether an entry of the log is folded.
pub async fn is_folded(pool: &PgPool, shard: i16, position: i64) -> Result<bool, sqlx::Error> {
    let folded = store::change::list_folded_positions(pool).await?;
    let of_shard = usize::try_from(shard).ok().and_then(|shard| folded.get(shard));
    Ok(of_shard.is_some_and(|folded| *folded >= position))
}
