//! Reads pushes ordered by start, in batches.
//!
//! Each batch is a time range with about the same number of starts; the next is read while the previous one is counted.

use std::hash::Hash;

use chrono::{DateTime, TimeDelta, Utc};
use indexmap::IndexSet;
use sqlx::PgPool;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;

use super::cutoff::ReportCutoff;
use super::parameters::GroupName;
use super::push::Push;
use super::{ReportError, low_priority_runtime};
use crate::model::report::{Certainty, GroupBy};
use crate::store;
use crate::store::report::{PushesRow, ReportFilter, StartedWhen};

/// Target number of pushes in a batch.
const STRETCH_PUSHES: i64 = 20_000;

/// Length of the first and of the longest time range.
const FIRST_SECONDS: i64 = 3_600;
const MOST_SECONDS: i64 = 366 * 86_400;

/// How many times longer a time range may be than the previous one.
const GROWTH: i64 = 8;

/// Pushes that were read; `None` after the last, so that an early end is not mistaken for completion.
type Batch = Result<Option<Vec<PushesRow>>, ReportError>;

/// The pushes of a report, with numbers for their groups and streams.
#[derive(Debug)]
pub struct Source {
    batches: Receiver<Batch>,
    group_by: GroupBy,
    groups: IndexSet<GroupName>,
    streams: IndexSet<Uuid>,
}

impl Source {
    /// Starts to read: first pushes that started before `from` and were live then, followed by those that started in
    /// `[from, to)`.
    pub fn open(
        pool: PgPool,
        cutoff: ReportCutoff,
        filter: ReportFilter,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        group_by: GroupBy,
    ) -> Self {
        let (sender, batches) = channel(1);
        low_priority_runtime::spawn(async move {
            let read = read(&pool, &cutoff, &filter, (from, to), group_by.stream, &sender).await;
            // Ignore send errors: the receiver is gone.
            let _ = sender.send(read.map(|()| None)).await;
        });
        Self { batches, group_by, groups: IndexSet::new(), streams: IndexSet::new() }
    }

    /// The next pushes, ordered by start; `None` after the last.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<Push>>, ReportError> {
        let Some(rows) = self.batches.recv().await.unwrap_or(Err(sqlx::Error::WorkerCrashed.into()))? else {
            return Ok(None);
        };
        let mut pushes = Vec::with_capacity(rows.iter().map(|row| row.started.len()).sum());
        for row in rows {
            self.read_row(row, &mut pushes);
        }
        pushes.sort_unstable_by_key(|push| push.started);
        Ok(Some(pushes))
    }

    pub fn name(&self, group: u32) -> &GroupName {
        match usize::try_from(group).ok().and_then(|group| self.groups.get_index(group)) {
            Some(name) => name,
            None => unreachable!("groups are numbered here"),
        }
    }

    fn read_row(&mut self, row: PushesRow, pushes: &mut Vec<Push>) {
        let PushesRow { domain, app, stream, stream_ids, started, ended_at, confirmed } = row;
        let GroupBy { domain: by_domain, app: by_app, stream: by_stream } = self.group_by;
        let name = GroupName {
            domain: by_domain.then_some(domain),
            app: by_app.then_some(app),
            stream: stream.filter(|_| by_stream),
        };
        let group = number(&mut self.groups, name);
        for (((stream_id, started), ended_at), confirmed) in
            stream_ids.into_iter().zip(started).zip(ended_at).zip(confirmed)
        {
            let stream = number(&mut self.streams, stream_id);
            let certainty = match confirmed {
                Some(true) => Certainty::Confirmed,
                Some(false) => Certainty::Estimated,
                None => Certainty::Open,
            };
            // Whole seconds, rounded down.
            let ended = ended_at.map_or(i64::MAX, |ended_at| ended_at.timestamp());
            pushes.push(Push { group, stream, started, ended, certainty });
        }
    }
}

/// The number of a value; a new value gets the next one.
fn number<T: Hash + Eq>(known: &mut IndexSet<T>, thing: T) -> u32 {
    u32::try_from(known.insert_full(thing).0).unwrap_or(u32::MAX)
}

async fn read(
    pool: &PgPool,
    cutoff: &ReportCutoff,
    filter: &ReportFilter,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    by_stream: bool,
    batches: &Sender<Batch>,
) -> Result<(), ReportError> {
    let list = async |begun| {
        let mut snapshot = cutoff.read(pool).await?;
        let rows = store::report::list_pushes(&mut *snapshot, filter, begun, by_stream).await?;
        snapshot.commit().await?;
        let pushes: usize = rows.iter().map(|row| row.started.len()).sum();
        // A send error means that the receiver is gone: stop reading.
        let wanted = batches.send(Ok(Some(rows))).await.is_ok();
        Ok::<_, ReportError>((i64::try_from(pushes).unwrap_or(i64::MAX), wanted))
    };
    let (_, mut wanted) = list(StartedWhen::Before(from)).await?;
    let mut stretches = Stretches::new(from, to, STRETCH_PUSHES);
    while wanted && let Some((begin, end)) = stretches.next() {
        let (pushes, still_wanted) = list(StartedWhen::Within(begin, end)).await?;
        wanted = still_wanted;
        stretches.found(pushes);
    }
    Ok(())
}

/// Divides a period into stretches of about the same number of starts.
#[derive(Debug)]
pub struct Stretches {
    begin: DateTime<Utc>,
    to: DateTime<Utc>,
    seconds: i64,
    target: i64,
}

impl Stretches {
    /// `target` is the number of starts.
    pub fn new(from: DateTime<Utc>, to: DateTime<Utc>, target: i64) -> Self {
        Self { begin: from, to, seconds: FIRST_SECONDS, target }
    }

    /// The next stretch; `None` after the last.
    pub fn next(&mut self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let begin = self.begin;
        self.begin = self.to.min(begin + TimeDelta::seconds(self.seconds));
        (begin < self.to).then_some((begin, self.begin))
    }

    /// Adapts the length of the next stretch to how many starts were in the last one.
    pub fn found(&mut self, starts: i64) {
        let as_many = (self.seconds * self.target).checked_div(starts).unwrap_or(MOST_SECONDS);
        self.seconds = as_many.clamp(1, MOST_SECONDS.min(self.seconds * GROWTH));
    }
}
