//! Sessions: lists and single ones.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::store;
use crate::store::session::SessionRow;
use crate::store::session_list::{SessionFilter, SessionPage};

/// A page of sessions.
#[derive(Debug)]
pub struct SessionList {
    /// The page.
    pub page: Rows<SessionRow>,
    /// How many fit in all, if that was asked for.
    pub total: Option<i64>,
    /// When this was read.
    pub as_of: DateTime<Utc>,
}

/// A page of the sessions that fit. `filter` is made for the moment of reading.
///
/// # Errors
/// Those of the database.
pub async fn list_sessions(
    pool: &PgPool,
    filter: impl FnOnce(DateTime<Utc>) -> SessionFilter,
    newest_first: bool,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: u16,
    include_total: bool,
) -> Result<SessionList, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let filter = filter(as_of);
    let page = SessionPage { newest_first, after, limit: i64::from(limit) + 1 };
    let rows = store::session_list::list_sessions(&mut *snapshot, &filter, page).await?;
    let total =
        if include_total { Some(store::session_list::count_sessions(&mut *snapshot, &filter).await?) } else { None };
    snapshot.commit().await?;
    Ok(SessionList { page: Rows::of(rows, limit), total, as_of })
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
