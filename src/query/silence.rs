//! Domains that have fallen silent, against their own habit.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use crate::access::Principal;
use crate::store;
use crate::store::silence::{SilenceRow, SilenceRule};

/// How far back a habit reaches: two weeks have in them every night, and every weekend twice.
pub const HABIT: TimeDelta = TimeDelta::days(14);

/// The fewest starts that make a habit.
const FEWEST_STARTS: i64 = 10;

/// Nobody who began a push so recently is silent.
const GRACE: TimeDelta = TimeDelta::minutes(15);

/// The domains that exist for the caller and have begun no push for longer than ever in the two weeks before.
///
/// # Errors
/// Those of the database.
pub async fn list_silent_domains(
    pool: &PgPool,
    principal: &Principal,
    now: DateTime<Utc>,
) -> Result<Vec<SilenceRow>, sqlx::Error> {
    let rule = SilenceRule { now, habit_since: now - HABIT, fewest_starts: FEWEST_STARTS, heard_since: now - GRACE };
    store::silence::list_silent_domains(pool, principal.visible_domains(), rule).await
}
