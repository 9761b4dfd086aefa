//! The report of push duration: by window and group, how long pushes lasted.

use std::cmp::Ordering;
use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::ReportError;
use super::moment::Moment;
use super::parameters::{GroupName, Layout, Scope};
use super::push::Push;
use super::source::Source;
use super::sweep::{Counts, Row, Sweep};
use super::window::list_bounds;

/// A row of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRow {
    /// The group.
    pub name: GroupName,
    /// Begin of its window.
    pub window_start: DateTime<Utc>,
    /// End of its window, exclusive.
    pub window_end: DateTime<Utc>,
    /// What is counted.
    pub counts: Counts,
}

/// Where a row stands: its window's begin, and its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowPlace {
    /// Begin of its window.
    pub window_start: DateTime<Utc>,
    /// The group.
    pub name: GroupName,
}

impl NamedRow {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> RowPlace {
        RowPlace { window_start: self.window_start, name: self.name.clone() }
    }
}

/// A report that is being made: rows come as they are known, by window and then by name.
#[derive(Debug)]
pub struct PushDuration {
    source: Source,
    sweep: Sweep,
    after: Option<RowPlace>,
    /// Pushes that were read, and are not counted yet.
    pending: VecDeque<Push>,
    /// Whether all were read.
    at_end: bool,
    /// Not named yet: a window may have very many.
    ready: VecDeque<Row>,
    totals: Option<Counts>,
}

impl PushDuration {
    /// Begins a report as of a moment that is closed, after a row if there is one. That leaves out what comes before its
    /// window, so that the totals are of what follows alone.
    ///
    /// Rows without a second are left out.
    #[must_use]
    pub fn begin(pool: PgPool, scope: &Scope, layout: Layout, moment: &Moment, after: Option<RowPlace>) -> Self {
        let as_of = moment.at;
        let from = after.as_ref().map_or(scope.from, |after| after.window_start.max(scope.from));
        let horizon = as_of.timestamp();
        let bounds = list_bounds(from.timestamp(), scope.to.timestamp(), horizon, layout.window, layout.time_zone);
        let source = Source::open(
            pool,
            moment.clone(),
            scope.filter(as_of),
            from,
            scope.counts_until(as_of).max(from),
            layout.group_by,
        );
        Self {
            source,
            sweep: Sweep::new(bounds, horizon),
            after,
            pending: VecDeque::new(),
            at_end: false,
            ready: VecDeque::new(),
            totals: None,
        }
    }

    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn next_row(&mut self) -> Result<Option<NamedRow>, ReportError> {
        loop {
            while let Some(row) = self.ready.pop_front() {
                let row = named(row, self.source.name(row.group));
                if self.after.as_ref().is_none_or(|after| row.place() > *after) {
                    return Ok(Some(row));
                }
            }
            if self.totals.is_some() {
                return Ok(None);
            }
            self.go_on().await?;
        }
    }

    /// Goes on to the end, without giving more rows. What is counted of the whole.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn finish(mut self) -> Result<Counts, ReportError> {
        loop {
            if let Some(totals) = self.totals {
                return Ok(totals);
            }
            self.ready.clear();
            self.go_on().await?;
        }
    }

    /// Counts the next pushes, to the end of a window that has rows.
    async fn go_on(&mut self) -> Result<(), ReportError> {
        if self.pending.is_empty() && !self.at_end {
            match self.source.next_batch().await? {
                Some(pushes) => self.pending = pushes.into(),
                None => self.at_end = true,
            }
        }
        let source = &self.source;
        let by_name = |one: u32, other: u32| -> Ordering { source.name(one).cmp(source.name(other)) };
        while let Some(push) = self.pending.front() {
            if let Some(at) = self.sweep.counts_from(push) {
                if !self.sweep.come_to(at, by_name) {
                    break;
                }
                self.sweep.add(push, by_name);
            }
            self.pending.pop_front();
        }
        if self.at_end && self.pending.is_empty() {
            self.totals = self.sweep.finish(by_name);
        }
        self.ready.extend(self.sweep.take_rows());
        Ok(())
    }
}

fn named(row: Row, name: &GroupName) -> NamedRow {
    let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    let (begin, end) = row.window;
    NamedRow { name: name.clone(), window_start: time(begin), window_end: time(end), counts: row.counts }
}
