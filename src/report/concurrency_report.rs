//! The concurrency report: live pushes and streams at each step of a period, and their peak.

use chrono::{SubsecRound, TimeDelta};
use sqlx::PgPool;
use tokio::sync::oneshot;

use super::concurrency::{Concurrency, Point};
use super::cutoff::ReportCutoff;
use super::parameters::ReportSelection;
use super::source::Source;
use super::{ReportError, low_priority_runtime};
use crate::model::report::GroupBy;

/// Counts live pushes at each step, and their peak, as of a fixed time.
pub async fn count(
    pool: PgPool,
    selection: &ReportSelection,
    step_seconds: i64,
    cutoff: &ReportCutoff,
) -> Result<(Vec<Point>, Option<Point>), ReportError> {
    let as_of = cutoff.at;
    let (from, to) = (selection.from, selection.to);
    let mut counting = Concurrency::new(from.timestamp(), to.timestamp(), as_of.timestamp(), step_seconds);
    // A push that started in the last whole second was live in it.
    let until = to.min(as_of.trunc_subsecs(0) + TimeDelta::seconds(1)).max(from);
    let mut source = Source::open(pool, cutoff.clone(), selection.filter(as_of), from, until, GroupBy::NOTHING);
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
