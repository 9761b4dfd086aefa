//! Changes of sessions since a position in the log. A reader remembers one position for each shard.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use crate::model::session::Status;
use crate::store;
use crate::store::change::ChangedSessionRow;
use crate::store::session::SessionRow;

/// The most events of a shard that are read at once, for all listeners together.
const STRETCH: i64 = 1_000;

/// The same for one listener, which keeps the sessions' ids in memory while it reads them.
const BACKLOG_STRETCH: i64 = 64;

/// The position up to which a reader has read each shard's log, ordered by shard.
pub type Positions = Vec<i64>;

/// The sessions that changed up to a position.
#[derive(Debug)]
pub struct Changed {
    pub to: Positions,
    /// All changed sessions, in the order of their last changes.
    pub sessions: Vec<ChangedSessionRow>,
}

/// Changed sessions.
#[derive(Debug)]
pub struct Changes {
    pub sessions: Vec<SessionRow>,
    pub as_of: DateTime<Utc>,
}

/// The folded position of each shard.
pub async fn get_positions(pool: &PgPool) -> Result<Positions, sqlx::Error> {
    store::change::list_folded_positions(pool).await
}

/// Whether retention has dropped events after `from`: their changes are unknown.
pub async fn is_forgotten(pool: &PgPool, from: &Positions) -> Result<bool, sqlx::Error> {
    let horizons = store::retention::list_horizons(pool).await?;
    Ok(horizons.iter().zip(from).any(|(horizon, from)| horizon.position > *from))
}

/// The changed sessions after `from`, up to the folded positions, or a first part if there are many.
pub async fn list_changes(pool: &PgPool, from: &Positions) -> Result<(Positions, Changes), sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let Changed { to, sessions } = find_changed(&mut snapshot, from, STRETCH).await?;
    let changes = read_changed(&mut snapshot, &sessions).await?;
    snapshot.commit().await?;
    Ok((to, changes))
}

/// The ids of the changed sessions after `from`, up to the folded positions, or a first part if there are many: few
/// enough for each listener to keep.
pub async fn list_backlog(pool: &PgPool, from: &Positions) -> Result<Changed, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let changed = find_changed(&mut snapshot, from, BACKLOG_STRETCH).await?;
    snapshot.commit().await?;
    Ok(changed)
}

/// Reads some sessions of a backlog that ends at `to`. `None` when a replica has not replayed it yet: the sessions
/// could be out of date.
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

/// Whether an event of the log is folded.
pub async fn is_folded(pool: &PgPool, shard: i16, position: i64) -> Result<bool, sqlx::Error> {
    let folded = store::change::list_folded_positions(pool).await?;
    let of_shard = usize::try_from(shard).ok().and_then(|shard| folded.get(shard));
    Ok(of_shard.is_some_and(|folded| *folded >= position))
}
