//! Domains whose pushes have stopped for unusually long, and those that have never sent a callback.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use crate::access::Principal;
use crate::store;
use crate::store::domain::DomainRow;

/// The period of the baseline: two weeks include every night, and every weekend twice.
pub const BASELINE: TimeDelta = TimeDelta::days(14);

/// The fewest starts that make a baseline.
pub const FEWEST_STARTS: i64 = 10;

/// A domain that started a push this recently is not inactive.
const GRACE: TimeDelta = TimeDelta::minutes(15);

/// A domain that has been inactive for longer than in the period of the baseline.
#[derive(Debug, Clone)]
pub struct Silence {
    pub domain: String,
    pub last_started_at: DateTime<Utc>,
    /// The longest gap between starts in that period, in seconds.
    pub habit_seconds: i64,
}

/// The domains that the caller may see (`sees`) and that have started no push for longer than the longest gap in the last two
/// weeks, by name.
///
/// Reads the starts of a domain only if its last start is not recent.
pub async fn list_silent_domains(
    pool: &PgPool,
    sees: impl Fn(&str) -> bool,
    now: DateTime<Utc>,
) -> Result<Vec<Silence>, sqlx::Error> {
    let mut silent = Vec::new();
    let domains = store::domain::list_domains(pool).await?.into_iter().map(|row| row.domain);
    for domain in domains.filter(|domain| sees(domain)) {
        let last = store::silence::get_last_start(pool, &domain).await?;
        let Some(last_started_at) = last.filter(|last| *last < now - GRACE) else { continue };
        let habit = store::silence::get_habit(pool, &domain, now - BASELINE).await?;
        let Some(habit_seconds) = habit.longest_gap_seconds.filter(|_| habit.starts >= FEWEST_STARTS) else { continue };
        if (now - last_started_at).num_seconds() > habit_seconds {
            silent.push(Silence { domain, last_started_at, habit_seconds });
        }
    }
    Ok(silent)
}

/// The registered domains that the caller may see and that have never sent a callback, by name.
pub async fn list_never_heard(pool: &PgPool, principal: &Principal) -> Result<Vec<DomainRow>, sqlx::Error> {
    let domains = store::domain::list_domains(pool).await?;
    keep_never_heard(pool, domains.into_iter().filter(|row| principal.sees(&row.domain))).await
}

/// The number of domains that were registered before a time and have never sent a callback.
pub async fn count_never_heard(pool: &PgPool, registered_before: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let domains = store::domain::list_domains(pool).await?;
    let domains = domains.into_iter().filter(|row| row.created_at < registered_before);
    Ok(keep_never_heard(pool, domains).await?.len())
}

/// Keeps the domains that have no event in the log. Rejected callbacks do not count: anyone can send them.
///
/// Probes an index once or twice for each domain, however long its history is.
async fn keep_never_heard(
    pool: &PgPool,
    domains: impl Iterator<Item = DomainRow>,
) -> Result<Vec<DomainRow>, sqlx::Error> {
    let mut never_heard = Vec::new();
    for row in domains {
        let is_heard = store::silence::get_last_start(pool, &row.domain).await?.is_some()
            || store::silence::has_unseen_session(pool, &row.domain).await?;
        if !is_heard {
            never_heard.push(row);
        }
    }
    Ok(never_heard)
}
