//! Sessions as they were at an earlier moment: their entries up to it, folded again.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::row;
use crate::model::session::Status;
use crate::store;
use crate::store::log::EntryRow;
use crate::store::session::SessionRow;

/// What these sessions were at `as_of`. Those that callers could not see yet are left out; those that have not changed
/// since, and those of which the log does not reach back to the beginning, stay as they are.
///
/// # Errors
/// Those of the database.
pub async fn sessions_as_of(
    connection: &mut PgConnection,
    sessions: Vec<SessionRow>,
    as_of: DateTime<Utc>,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let horizons: HashMap<i16, i64> = store::retention::list_horizons(&mut *connection)
        .await?
        .into_iter()
        .map(|horizon| (horizon.shard, horizon.position))
        .collect();
    let has_changed = |session: &SessionRow| {
        let horizon = horizons.get(&session.shard).copied().unwrap_or_default();
        session.last_recorded_at > as_of && session.first_position > horizon
    };
    let changed: Vec<Uuid> =
        sessions.iter().filter(|session| has_changed(session)).map(|session| session.session_id).collect();
    if changed.is_empty() {
        return Ok(sessions);
    }
    let mut entries: HashMap<Uuid, Vec<EntryRow>> = HashMap::new();
    for entry in store::log::list_entries_of_sessions(connection, &changed, as_of).await? {
        entries.entry(entry.session_id).or_default().push(entry);
    }
    let earlier = |session: SessionRow| {
        if !has_changed(&session) {
            return Some(session);
        }
        let earlier = row::fold_anew(entries.remove(&session.session_id)?)?;
        (earlier.status != Status::Unseen).then_some(earlier)
    };
    Ok(sessions.into_iter().filter_map(earlier).collect())
}
