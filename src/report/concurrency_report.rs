//! The report of concurrency: how much was on air at each step of a period, and at most.

use chrono::{SubsecRound, TimeDelta};
use sqlx::PgPool;

use super::ReportError;
use super::concurrency::{Concurrency, Point};
use super::moment::Moment;
use super::parameters::{GroupBy, Scope};
use super::source::Source;

/// Counts what was on air, as of a moment that is closed: at each step, and at most.
///
/// # Errors
/// [`ReportError`].
pub async fn count(
    pool: PgPool,
    scope: &Scope,
    step_seconds: i64,
    moment: &Moment,
) -> Result<(Vec<Point>, Option<Point>), ReportError> {
    let as_of = moment.at;
    let (from, to) = (scope.from, scope.to);
    let mut counting = Concurrency::new(from.timestamp(), to.timestamp(), as_of.timestamp(), step_seconds);
    let together = GroupBy { domain: false, app: false, stream: false };
    // What began in the last whole second was on air at it.
    let until = to.min(as_of.trunc_subsecs(0) + TimeDelta::seconds(1)).max(from);
    let mut source = Source::open(pool, moment.clone(), scope.filter(as_of), from, until, together);
    while let Some(pushes) = source.next_batch().await? {
        for push in &pushes {
            counting.add(push);
        }
    }
    Ok(counting.finish())
}
