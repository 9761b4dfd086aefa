//! What the provider's lists of domains have shown, and what is wrong with reading them.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::Rows;
use crate::access::Principal;
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::poll_summary::{DifferenceCountRow, PolledDomainRow};
use crate::store::polling::{DifferenceKey, DifferenceRow, PollRow};

/// A list is read every minute. Without a complete one for this long, lost callbacks are not found.
pub const COMPLETE_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Differences that were seen within this time are problems.
pub const DIFFERENCES_PERIOD: TimeDelta = TimeDelta::hours(24);

/// A domain that is registered and that the caller may see.
pub async fn get_domain(pool: &PgPool, principal: &Principal, domain: &str) -> Result<Option<DomainRow>, sqlx::Error> {
    // The database accepts no NUL.
    if domain.chars().any(char::is_control) || !principal.sees(domain) {
        return Ok(None);
    }
    store::domain::get_domain(pool, domain).await
}

/// The readings of a domain's list that began before a time, the newest first.
pub async fn list_polls(
    pool: &PgPool,
    domain: &str,
    before: Option<DateTime<Utc>>,
    limit: u16,
) -> Result<Rows<PollRow>, sqlx::Error> {
    let rows = store::polling::list_polls(pool, domain, before, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}

/// The differences of a domain after a key, the last seen first.
pub async fn list_differences(
    pool: &PgPool,
    domain: &str,
    after: Option<DifferenceKey>,
    limit: u16,
) -> Result<Rows<DifferenceRow>, sqlx::Error> {
    let rows = store::polling::list_differences(pool, domain, after, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}

/// How a polled domain's list is read; `None` if the domain is not polled.
pub async fn get_polled_domain(pool: &PgPool, domain: &str) -> Result<Option<PolledDomainRow>, sqlx::Error> {
    Ok(store::poll_summary::list_polled_domains(pool, Some(&[domain.to_owned()])).await?.pop())
}

/// What is wrong with the lists of the domains that the caller may see.
#[derive(Debug, Default)]
pub struct ListProblems {
    /// Domains without a complete list for longer than [`COMPLETE_WITHIN`].
    pub unread: Vec<PolledDomainRow>,
    /// Domains of which many sessions have disappeared from the list at once.
    pub mass_absences: Vec<PolledDomainRow>,
    /// How many open differences were seen within [`DIFFERENCES_PERIOD`], by domain.
    pub differences: Vec<DifferenceCountRow>,
}

impl ListProblems {
    pub fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.mass_absences.is_empty() && self.differences.is_empty()
    }
}

pub async fn find_problems(
    pool: &PgPool,
    principal: &Principal,
    now: DateTime<Utc>,
) -> Result<ListProblems, sqlx::Error> {
    let domains = principal.visible_domains();
    let polled = store::poll_summary::list_polled_domains(pool, domains).await?;
    let differences = store::poll_summary::count_open_differences(pool, domains, now - DIFFERENCES_PERIOD).await?;
    let mass_absences = polled.iter().filter(|row| row.mass_absence).cloned().collect();
    let unread = polled.into_iter().filter(|row| is_unread(row, now)).collect();
    Ok(ListProblems { unread, mass_absences, differences })
}

/// Since its settings were changed last, too: before that, the domain may not have been polled.
fn is_unread(row: &PolledDomainRow, now: DateTime<Utc>) -> bool {
    let read_at = row.complete_at.map_or(row.updated_at, |complete_at| complete_at.max(row.updated_at));
    now - read_at > COMPLETE_WITHIN
}
