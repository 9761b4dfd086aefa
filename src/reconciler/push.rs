//! The current state of one push, including events that are not folded yet.

use sqlx::PgConnection;
use uuid::Uuid;

use super::entry::entry_of;
use super::row;
use crate::huawei::admission::PushState;
use crate::session::{Session, fold, lifecycle};
use crate::store;

pub async fn get_push_state(
    connection: &mut PgConnection,
    shard: i16,
    session_id: Uuid,
) -> Result<PushState, sqlx::Error> {
    let folded = store::session::list_sessions_by_id(&mut *connection, &[(shard, session_id)]).await?.pop();
    let mut session = folded.map_or_else(Session::default, |row| row::load(row).state);
    let last = session.last_position;
    for entry in store::log::list_session_entries_after(connection, shard, session_id, last).await? {
        fold(&mut session, &entry_of(entry));
    }
    Ok(PushState {
        has_start: session.start_received_at.is_some(),
        has_ended: lifecycle::has_ended(&session),
        start_shares_signature: session.shared_signature,
    })
}
