//! Rejected messages as support reads them.

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

/// What was rejected since a moment, of each claimed domain and cause that exists for the caller, the latest first.
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
