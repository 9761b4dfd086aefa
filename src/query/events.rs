//! The log as support reads it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sqlx::PgPool;
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::model::event::{Disposition, QuarantineReason};
use crate::model::filter::EventFilter;
use crate::store;
use crate::store::event::EventRow;
use crate::store::event_list::EventPlace;
use crate::store::quarantine::QuarantinedRow;
use crate::store::stream::NameSearch;

/// A page of one session's log, newest first; `None` when the caller may not see the session.
pub async fn list_session_events(
    pool: &PgPool,
    principal: &Principal,
    session_id: Uuid,
    before_position: Option<i64>,
    limit: u16,
) -> Result<Option<Rows<EventRow>>, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let session = store::session::get_session(&mut *snapshot, session_id).await?;
    if !session.is_some_and(|session| principal.sees(&session.domain)) {
        return Ok(None);
    }
    let rows =
        store::event::list_session_events(&mut *snapshot, session_id, before_position, i64::from(limit) + 1).await?;
    snapshot.commit().await?;
    Ok(Some(Rows::of(rows, limit)))
}

/// A page of the log, newest first.
pub async fn list_events(
    pool: &PgPool,
    principal: &Principal,
    filter: &EventFilter,
    after: Option<EventPlace>,
    limit: u16,
) -> Result<Rows<EventRow>, sqlx::Error> {
    let visible_domains = principal.visible_domains();
    let rows = store::event_list::list_events(pool, visible_domains, filter, after, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}

/// How many quarantined callbacks are read at most.
pub const MAX_QUARANTINED: u16 = 1_000;

/// The newest quarantined callbacks that are not released, newest first.
pub async fn list_quarantined(pool: &PgPool, principal: &Principal) -> Result<Vec<QuarantinedRow>, sqlx::Error> {
    store::quarantine::list_quarantined(pool, principal.visible_domains(), MAX_QUARANTINED.into()).await
}

/// Quarantined callbacks of one domain and reason, newest first.
pub type QuarantineGroup = Vec<QuarantinedRow>;

/// The newest quarantined callbacks that are not released, grouped by domain and reason; the largest group first.
pub async fn list_quarantine_groups(pool: &PgPool, principal: &Principal) -> Result<Vec<QuarantineGroup>, sqlx::Error> {
    let mut groups = BTreeMap::<(String, QuarantineReason), QuarantineGroup>::new();
    for row in list_quarantined(pool, principal).await? {
        groups.entry((row.domain.clone(), row.reason)).or_default().push(row);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| Reverse(group.len()));
    Ok(groups)
}

/// The quarantined events of a push of which nothing was accepted, newest first; empty when the caller may not see them.
pub async fn list_quarantined_of_push(
    pool: &PgPool,
    principal: &Principal,
    session_id: Uuid,
    limit: u16,
) -> Result<Vec<EventRow>, sqlx::Error> {
    let mut rows = store::event::list_session_events(pool, session_id, None, i64::from(limit)).await?;
    rows.retain(|row| row.disposition == Disposition::Quarantined && principal.sees(&row.domain));
    Ok(rows)
}

/// The newest quarantined event of each push that matches and of which nothing was accepted yet.
pub async fn find_quarantined_pushes(
    pool: &PgPool,
    principal: &Principal,
    search: &NameSearch,
    limit: u16,
) -> Result<Rows<EventRow>, sqlx::Error> {
    let visible_domains = principal.visible_domains();
    let rows = store::event::find_quarantined_pushes(pool, visible_domains, search, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}
