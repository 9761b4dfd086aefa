//! Lists of sessions, and single sessions.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::model::filter::SessionFilter;
use crate::store;
use crate::store::session::SessionRow;
use crate::store::session_list::{SessionPage, SessionScope};

#[derive(Debug)]
pub struct SessionList {
    pub page: Rows<SessionRow>,
    pub total: Option<i64>,
    pub as_of: DateTime<Utc>,
}

/// A page of the sessions that match.
///
/// Paging uses only the cursor of the last row, so a session is neither repeated nor skipped while it matches.
pub async fn list_sessions(
    pool: &PgPool,
    principal: &Principal,
    unconfirmed_after: TimeDelta,
    filter: &SessionFilter,
    page: SessionPage,
    include_total: bool,
) -> Result<SessionList, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let scope = SessionScope { visible_domains: principal.visible_domains(), as_of, unconfirmed_after };
    let one_more = SessionPage { limit: page.limit + 1, ..page };
    let rows = store::session_list::list_sessions(&mut *snapshot, scope, filter, one_more).await?;
    let total = if include_total {
        Some(store::session_list::count_sessions(&mut *snapshot, scope, filter).await?)
    } else {
        None
    };
    snapshot.commit().await?;
    Ok(SessionList { page: Rows::of(rows, page.limit), total, as_of })
}

/// A session, if the caller may see it, and the time of the snapshot.
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

/// When the provider's list had a session last. Sightings are stored; some of them, not the latest, are events of the log, too.
pub async fn get_last_listed_at(pool: &PgPool, session: &SessionRow) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let sighted_at = store::poll_summary::get_last_listed_at(pool, session.session_id).await?;
    Ok(sighted_at.max(session.listed_at))
}
