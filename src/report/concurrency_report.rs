//! The concurrency report: live pushes and streams at each step of a period, and their peak.

use chrono::{SubsecRound, TimeDelta};
use sqlx::PgPool;
use tokio::sync::oneshot;

use super::concurrency::{Concurrency, Point};
use super::moment::Moment;
use super::parameters::{GroupBy, Scope};
use super::source::Source;
use super::{ReportError, low_priority_runtime};

/// Counts live pushes at each step, and their peak, as of a fixed time.
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
    // A push that started in the last whole second was live in it.
    let until = to.min(as_of.trunc_subsecs(0) + TimeDelta::seconds(1)).max(from);
    let mut source = Source::open(pool, moment.clone(), scope.filter(as_of), from, until, together);
    let (sender, counted) = oneshot::channel();
    low_priority_runtime::spawn(async move {
        let counted = loop {
            if sender.is_closed() {
                return;
            }
            match source.next_batch().await {
                Ok(Some(pushes)) => pushes.iter().for_each(|push| counting.add(push)),
                Ok(None) => break Ok(counting.finish()),
                Err(error) => break Err(error),
            }
        };
        let _ = sender.send(counted);
    });
    counted.await.unwrap_or(Err(sqlx::Error::WorkerCrashed.into()))
}
