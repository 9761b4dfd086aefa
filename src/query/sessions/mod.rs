//! Sessions: lists and single ones.

mod admits;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::reconciler::as_of::sessions_as_of;
use crate::store;
use crate::store::session::SessionRow;
use crate::store::session_list::{SessionFilter, SessionPage};
use crate::store::snapshot::SnapshotTimesRow;

/// A page of sessions.
#[derive(Debug)]
pub struct SessionList {
    /// The page.
    pub page: Rows<SessionRow>,
    /// How many fit in all, if that was asked for.
    pub total: Option<i64>,
    /// The moment that the whole list is of: when its first page was read.
    pub moment: SnapshotTimesRow,
}

/// Where a session stands in a list of a moment: its start, its id, and that moment.
pub type SessionPlace = (DateTime<Utc>, Uuid, SnapshotTimesRow);

/// A page of the sessions that fit. `filter` is made for the moment that the list is of.
///
/// Pages after the first show what was there, and as it was, when that was read: what has changed since is folded
/// again up to then.
///
/// # Errors
/// Those of the database.
pub async fn list_sessions(
    pool: &PgPool,
    filter: impl FnOnce(DateTime<Utc>) -> SessionFilter,
    newest_first: bool,
    after: Option<SessionPlace>,
    limit: u16,
    include_total: bool,
) -> Result<SessionList, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let moment = match after {
        Some((_, _, moment)) => moment,
        None => store::snapshot::get_snapshot_times(&mut *snapshot).await?,
    };
    let filter = filter(moment.as_of);
    let page = SessionPage {
        newest_first,
        after: after.map(|(started_at, session_id, _)| (started_at, session_id)),
        limit: i64::from(limit) + 1,
    };
    let rows = match page.after {
        None => store::session_list::list_sessions(&mut *snapshot, &filter, page).await?,
        Some(after) => list_as_of(&mut snapshot, &filter, page, after, moment).await?,
    };
    let total =
        if include_total { Some(store::session_list::count_sessions(&mut *snapshot, &filter).await?) } else { None };
    snapshot.commit().await?;
    Ok(SessionList { page: Rows::of(rows, limit), total, moment })
}

/// The sessions after a place that fitted at the moment of the filter, as they were then.
async fn list_as_of(
    connection: &mut PgConnection,
    filter: &SessionFilter,
    page: SessionPage,
    mut after: (DateTime<Utc>, Uuid),
    moment: SnapshotTimesRow,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let wanted = usize::try_from(page.limit).unwrap_or_default();
    // What the first page showed, even if it was recorded in the future.
    let recorded_to = moment.as_of.max(moment.folded_to);
    let mut found = Vec::new();
    loop {
        let page = SessionPage { after: Some(after), ..page };
        let mut rows = store::session_list::list_sessions(&mut *connection, filter, page).await?;
        let end = if rows.len() < wanted { None } else { rows.last().map(place_of) };
        if admits::can_change(filter) {
            let changed = store::session_list::list_changed_sessions(
                &mut *connection,
                filter,
                page.newest_first,
                after,
                end,
                recorded_to,
            );
            rows.extend(changed.await?);
            rows.sort_unstable_by_key(place_of);
            rows.dedup_by_key(|row| row.session_id);
            if page.newest_first {
                rows.reverse();
            }
        }
        let earlier = sessions_as_of(connection, rows, recorded_to).await?;
        found.extend(earlier.into_iter().filter(|session| admits::admits(filter, session)));
        match end {
            Some(end) if found.len() < wanted => after = end,
            _ => break,
        }
    }
    found.truncate(wanted);
    Ok(found)
}

fn place_of(session: &SessionRow) -> (DateTime<Utc>, Uuid) {
    (session.started_at, session.session_id)
}

/// One session, if it exists for the caller, and when this was read.
///
/// # Errors
/// Those of the database.
pub async fn get_session(
    pool: &PgPool,
    principal: &Principal,
    session_id: Uuid,
) -> Result<Option<(SessionRow, DateTime<Utc>)>, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let session = store::session::get_session(&mut *snapshot, session_id).await?;
    snapshot.commit().await?;
    Ok(session.filter(|session| principal.sees(&session.domain)).map(|session| (session, as_of)))
}
