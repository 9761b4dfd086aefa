//! The concurrency report: live pushes and streams at each step of a period, and their peak.

use chrono::{SubsecRound, TimeDelta};
use sqlx::PgPool;
use tokio::sync::oneshot;

use super::concurrency::{Concurrency, Point};
use super::cutoff::ReportCutoff;
use super::parameters::{GroupName, ReportSelection};
use super::push::Push;
use super::source::Source;
use super::{ReportError, low_priority_runtime};
use crate::model::report::GroupBy;

/// The most points of all series together, to limit memory.
pub const MAX_SERIES_POINTS: usize = 50_000;

/// Live pushes over time.
#[derive(Debug)]
pub struct LivePushes {
    /// Of all pushes.
    pub points: Vec<Point>,
    /// The first instant with the most live pushes; `None` without any.
    pub peak: Option<Point>,
    /// Of each group, ordered by name; empty without a grouping.
    pub series: Vec<Series>,
}

/// The live pushes of a group, at the same instants as those of all.
#[derive(Debug)]
pub struct Series {
    pub name: GroupName,
    pub points: Vec<Point>,
}

/// A point, and the group that it is of; without a grouping, of all.
#[derive(Debug)]
pub struct PointRow {
    pub domain: Option<String>,
    pub app: Option<String>,
    pub point: Point,
}

impl LivePushes {
    /// The points, ordered by time, then by name.
    pub fn rows(self, group_by: GroupBy) -> Vec<PointRow> {
        if group_by == GroupBy::NOTHING {
            return self.points.into_iter().map(|point| PointRow { domain: None, app: None, point }).collect();
        }
        let at_instant = |instant: usize| {
            self.series.iter().filter_map(move |series| {
                let GroupName { domain, app, stream: _ } = series.name.clone();
                Some(PointRow { domain, app, point: *series.points.get(instant)? })
            })
        };
        (0..self.points.len()).flat_map(at_instant).collect()
    }
}

/// Counts live pushes at each step, and their peak, as of a fixed time.
///
/// # Errors
/// [`ReportError::TooManyPoints`] for more than [`MAX_SERIES_POINTS`].
pub async fn count(
    pool: PgPool,
    selection: &ReportSelection,
    step_seconds: i64,
    group_by: GroupBy,
    cutoff: &ReportCutoff,
) -> Result<LivePushes, ReportError> {
    let as_of = cutoff.at;
    let from = selection.from;
    let to = selection.to;
    let new = Concurrency::new(from.timestamp(), to.timestamp(), as_of.timestamp(), step_seconds);
    let mut counting = Counting { all: new.clone(), new, series: Vec::new(), is_grouped: group_by != GroupBy::NOTHING };
    // A push that started in the last whole second was live in it.
    let until = to.min(as_of.trunc_subsecs(0) + TimeDelta::seconds(1)).max(from);
    let mut source = Source::open(pool, cutoff.clone(), selection.filter(as_of), from, until, group_by);
    let (sender, counted) = oneshot::channel();
    low_priority_runtime::spawn(async move {
        let counted = loop {
            if sender.is_closed() {
                return;
            }
            match source.next_batch().await {
                Ok(Some(pushes)) => {
                    if let Err(error) = pushes.iter().try_for_each(|push| counting.add(push)) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(counting.finish(&source)),
                Err(error) => break Err(error),
            }
        };
        let _ = sender.send(counted);
    });
    counted.await.unwrap_or(Err(sqlx::Error::WorkerCrashed.into()))
}

struct Counting {
    new: Concurrency,
    all: Concurrency,
    /// By the number of the group.
    series: Vec<Concurrency>,
    is_grouped: bool,
}

impl Counting {
    fn add(&mut self, push: &Push) -> Result<(), ReportError> {
        self.all.add(push);
        if self.is_grouped {
            let group = usize::try_from(push.group).unwrap_or(usize::MAX);
            if group.saturating_add(1).saturating_mul(self.new.count_points()) > MAX_SERIES_POINTS {
                return Err(ReportError::TooManyPoints);
            }
            if group >= self.series.len() {
                self.series.resize(group + 1, self.new.clone());
            }
            if let Some(series) = self.series.get_mut(group) {
                series.add(push);
            }
        }
        Ok(())
    }

    fn finish(self, source: &Source) -> LivePushes {
        let (points, peak) = self.all.finish();
        let finish = |(group, series): (u32, Concurrency)| Series {
            name: source.name(group).clone(),
            points: series.finish().0,
        };
        let mut series: Vec<Series> = (0..).zip(self.series).map(finish).collect();
        series.sort_by(|one, other| one.name.cmp(&other.name));
        LivePushes { points, peak, series }
    }
}
