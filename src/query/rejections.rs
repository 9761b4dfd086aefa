//! Rejected callbacks as support reads them.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::Rows;
use crate::access::Principal;
use crate::model::filter::RejectionFilter;
use crate::model::rejection::RejectionReason;
use crate::store;
use crate::store::rejection::RejectionRow;

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

/// The counts of rejected callbacks since a time, for each claimed domain that the caller may see and each reason, most
/// recent first.
pub async fn sum_rejections(
    pool: &PgPool,
    principal: &Principal,
    since: DateTime<Utc>,
    limit: u16,
) -> Result<Rows<RejectionRow>, sqlx::Error> {
    let visible_domains = principal.visible_domains();
    let rows = store::rejection::sum_rejections(pool, visible_domains, since, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}
