//! The report of push duration, by window and group.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::cutoff::ReportCutoff;
use super::parameters::{GroupName, Layout, ReportSelection};
use super::push::Push;
use super::source::Source;
use super::sweep::{Row, Sweep, WindowTotals};
use super::window::list_bounds;
use super::{ReportError, low_priority_runtime};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRow {
    pub name: GroupName,
    pub window_start: DateTime<Utc>,
    /// End of its window (exclusive).
    pub window_end: DateTime<Utc>,
    pub counts: WindowTotals,
}

/// The cursor of a row: its window's start, and its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowPlace {
    pub window_start: DateTime<Utc>,
    pub name: GroupName,
}

impl NamedRow {
    /// The row's cursor.
    pub fn place(&self) -> RowPlace {
        RowPlace { window_start: self.window_start, name: self.name.clone() }
    }
}

/// How many rows are sent in one chunk.
const PORTION: usize = 500;

/// A message from the runtime: rows, or finally the totals.
enum ReportChunk {
    Rows(Vec<NamedRow>),
    Totals(WindowTotals),
}

/// A report that is computed in the background: rows arrive as soon as they are complete, ordered by window, then by
/// name.
#[derive(Debug)]
pub struct PushDuration {
    portions: Receiver<Result<ReportChunk, ReportError>>,
    ready: VecDeque<NamedRow>,
    totals: Option<WindowTotals>,
    wanted: Arc<AtomicBool>,
}

impl PushDuration {
    /// Starts a report as of a fixed time, optionally after a row. In that case, everything before the row's window is
    /// skipped, so the totals cover only what follows.
    ///
    /// Rows without a second are omitted.
    pub fn begin(
        pool: PgPool,
        selection: &ReportSelection,
        layout: Layout,
        cutoff: &ReportCutoff,
        after: Option<RowPlace>,
    ) -> Self {
        let (sender, portions) = channel(1);
        let selection = selection.clone();
        let cutoff = cutoff.clone();
        let wanted = Arc::new(AtomicBool::new(true));
        let still_wanted = Arc::clone(&wanted);
        low_priority_runtime::spawn(async move {
            let mut counting = Counting::begin(pool, &selection, layout, &cutoff, after);
            let counted = counting.count(&sender, &still_wanted).await;
            // Ignore send errors: the receiver is gone.
            let _ = sender.send(counted.map(ReportChunk::Totals)).await;
        });
        Self { portions, ready: VecDeque::new(), totals: None, wanted }
    }

    /// The next row; `None` after the last.
    pub async fn next_row(&mut self) -> Result<Option<NamedRow>, ReportError> {
        while self.ready.is_empty() && self.totals.is_none() {
            self.receive().await?;
        }
        Ok(self.ready.pop_front())
    }

    /// Counts to the end without sending more rows, and returns the totals.
    pub async fn finish(mut self) -> Result<WindowTotals, ReportError> {
        self.wanted.store(false, Ordering::Relaxed);
        loop {
            if let Some(totals) = self.totals {
                return Ok(totals);
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<(), ReportError> {
        match self.portions.recv().await.unwrap_or(Err(sqlx::Error::WorkerCrashed.into()))? {
            ReportChunk::Rows(rows) => self.ready = rows.into(),
            ReportChunk::Totals(totals) => self.totals = Some(totals),
        }
        Ok(())
    }
}

/// The computation of a report.
struct Counting {
    source: Source,
    sweep: Sweep,
    after: Option<RowPlace>,
    pending: VecDeque<Push>,
    at_end: bool,
    totals: Option<WindowTotals>,
}

impl Counting {
    fn begin(
        pool: PgPool,
        selection: &ReportSelection,
        layout: Layout,
        cutoff: &ReportCutoff,
        after: Option<RowPlace>,
    ) -> Self {
        let as_of = cutoff.at;
        let from = after.as_ref().map_or(selection.from, |after| after.window_start.max(selection.from));
        let horizon = as_of.timestamp();
        let bounds = list_bounds(from.timestamp(), selection.to.timestamp(), horizon, layout.window, layout.time_zone);
        let source = Source::open(
            pool,
            cutoff.clone(),
            selection.filter(as_of),
            from,
            selection.counts_until(as_of).max(from),
            layout.group_by,
        );
        Self {
            source,
            sweep: Sweep::new(bounds, horizon),
            after,
            pending: VecDeque::new(),
            at_end: false,
            totals: None,
        }
    }

    /// Counts to the end, and sends rows while they are wanted.
    async fn count(
        &mut self,
        portions: &Sender<Result<ReportChunk, ReportError>>,
        wanted: &AtomicBool,
    ) -> Result<WindowTotals, ReportError> {
        loop {
            // Names are looked up chunk by chunk: a window may have very many rows.
            let mut ready = self.go_on().await?;
            while wanted.load(Ordering::Relaxed) && !ready.is_empty() {
                let rows = self.name(ready.drain(..ready.len().min(PORTION)));
                if !rows.is_empty() {
                    let _ = portions.send(Ok(ReportChunk::Rows(rows))).await;
                }
            }
            // Stop early when the receiver is gone.
            if self.totals.is_some() || portions.is_closed() {
                return Ok(self.totals.unwrap_or_default());
            }
        }
    }

    fn name(&self, rows: impl Iterator<Item = Row>) -> Vec<NamedRow> {
        rows.map(|row| named(row, self.source.name(row.group)))
            .filter(|row| self.after.as_ref().is_none_or(|after| row.place() > *after))
            .collect()
    }

    /// Counts the next pushes, up to the end of the next window that has rows, and returns these.
    async fn go_on(&mut self) -> Result<Vec<Row>, ReportError> {
        if self.pending.is_empty() && !self.at_end {
            match self.source.next_batch().await? {
                Some(pushes) => self.pending = pushes.into(),
                None => self.at_end = true,
            }
        }
        let source = &self.source;
        let by_name = |one: u32, other: u32| source.name(one).cmp(source.name(other));
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
        Ok(self.sweep.take_rows())
    }
}

fn named(row: Row, name: &GroupName) -> NamedRow {
    let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    let (begin, end) = row.window;
    NamedRow { name: name.clone(), window_start: time(begin), window_end: time(end), counts: row.counts }
}
