//! Rejected callbacks as support reads them.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::Rows;
use crate::access::Principal;
use crate::model::filter::RejectionFilter;
use crate::model::rejection::RejectionReason;
use crate::store;
use crate::store::kept_rejection::{KeptSummaryRow, Place};
use crate::store::rejection::{RejectedStreamRow, RejectionGroupCounts, RejectionGroupRow, RejectionRow};
use crate::store::stream::NameSearch;

/// A page of the counts, newest minute first.
pub async fn list_rejections(
    pool: &PgPool,
    principal: &Principal,
    filter: &RejectionFilter,
    after: Option<&(DateTime<Utc>, String, RejectionReason)>,
    limit: u16,
) -> Result<Rows<RejectionRow>, sqlx::Error> {
    let visible_domains = principal.visible_domains();
    let rows = store::rejection::list_rejections(pool, visible_domains, filter, after, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}

/// A page of the kept rejections, newest first. Only administrators may see them.
pub async fn list_kept(
    pool: &PgPool,
    filter: &RejectionFilter,
    before: Option<Place>,
    limit: u16,
) -> Result<Rows<KeptSummaryRow>, sqlx::Error> {
    let rows = store::kept_rejection::list_newest_kept_rejections(pool, filter, before, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}

/// The rejected callbacks of the last 24 hours, for each claimed domain that the caller may see and each reason; those of
/// registered domains first. With `domain`, only those of this domain.
pub async fn list_rejection_groups(
    pool: &PgPool,
    principal: &Principal,
    domain: Option<&str>,
    now: DateTime<Utc>,
    limit: u16,
) -> Result<Rows<RejectionGroupRow>, sqlx::Error> {
    let visible_domains = principal.visible_domains();
    let limit_and_one = i64::from(limit) + 1;
    let rows = store::rejection::list_rejection_groups(pool, visible_domains, domain, now, limit_and_one).await?;
    Ok(Rows::of(rows, limit))
}

/// The number of callbacks rejected since a time that claim a domain that the caller may see, or this domain.
pub async fn count_rejected(
    pool: &PgPool,
    principal: &Principal,
    domain: Option<&str>,
    since: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    store::rejection::count_rejected(pool, principal.visible_domains(), domain, since).await
}

/// The number of those groups.
pub async fn count_rejection_groups(
    pool: &PgPool,
    principal: &Principal,
    now: DateTime<Utc>,
) -> Result<RejectionGroupCounts, sqlx::Error> {
    store::rejection::count_rejection_groups(pool, principal.visible_domains(), now).await
}

/// The streams of domains that the caller may see that rejected callbacks named and that match, most recent first.
pub async fn find_rejected_streams(
    pool: &PgPool,
    principal: &Principal,
    search: &NameSearch,
    limit: u16,
) -> Result<Rows<RejectedStreamRow>, sqlx::Error> {
    let visible_domains = principal.visible_domains();
    let rows = store::rejection::find_rejected_streams(pool, visible_domains, search, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}
