//! Domains that have fallen silent, against their own habit, and those that were never heard from.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use crate::access::Principal;
use crate::store;
use crate::store::domain::DomainRow;

/// How far back a habit reaches: two weeks have in them every night, and every weekend twice.
pub const BASELINE: TimeDelta = TimeDelta::days(14);

/// The fewest starts that make a habit.
const FEWEST_STARTS: i64 = 10;

/// Nobody who began a push so recently is silent.
const GRACE: TimeDelta = TimeDelta::minutes(15);

/// A domain that is silent for longer than it ever was of late.
#[derive(Debug, Clone)]
pub struct Silence {
    pub domain: String,
    pub last_started_at: DateTime<Utc>,
    /// The longest time without a start before that, in seconds.
    pub habit_seconds: i64,
}

/// The domains that exist for the caller and have begun no push for longer than ever in the two weeks before, by name.
///
/// The starts of a domain are read only when it is silent at all.
pub async fn list_silent_domains(
    pool: &PgPool,
    principal: &Principal,
    now: DateTime<Utc>,
) -> Result<Vec<Silence>, sqlx::Error> {
    let mut silent = Vec::new();
    let domains = store::domain::list_domains(pool).await?.into_iter().map(|row| row.domain);
    for domain in domains.filter(|domain| principal.sees(domain)) {
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

/// The registered domains that exist for the caller and from which nothing ever arrived, by name.
pub async fn list_never_heard(pool: &PgPool, principal: &Principal) -> Result<Vec<DomainRow>, sqlx::Error> {
    let domains = store::domain::list_domains(pool).await?;
    keep_never_heard(pool, domains.into_iter().filter(|row| principal.sees(&row.domain))).await
}

/// How many domains were registered before a moment, and nothing ever arrived from them.
pub async fn count_never_heard(pool: &PgPool, registered_before: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let domains = store::domain::list_domains(pool).await?;
    let domains = domains.into_iter().filter(|row| row.created_at < registered_before);
    Ok(keep_never_heard(pool, domains).await?.len())
}

/// Those of which the log has nothing. What was rejected does not count: it may be anyone's.
///
/// One or two probes of an index a domain, however long its history is.
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
