//! Pushes in the order of their starts, batch by batch.
//!
//! They are read by stretches of time in which about as many began; the next is read while the one before is counted.

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

/// About how many pushes a stretch should have.
const STRETCH_PUSHES: i64 = 20_000;

/// How long the first stretch is, and the longest.
const FIRST_SECONDS: i64 = 3_600;
const MOST_SECONDS: i64 = 366 * 86_400;

/// By how much a stretch may be longer than the one before.
const GROWTH: i64 = 8;

/// Pushes that were read; `None` after the last, so that whoever stops reading early is not taken to be done.
type Batch = Result<Option<Vec<PushesRow>>, ReportError>;

/// Pushes as they are read, and numbers for their groups and streams.
#[derive(Debug)]
pub struct Source {
    batches: Receiver<Batch>,
    group_by: GroupBy,
    groups: IndexSet<GroupName>,
    streams: IndexSet<Uuid>,
}

impl Source {
    /// Begins to read: what was on air at `from` and began before, then what began in `[from, to)`.
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
            // Whoever does not listen any more does not miss it.
            let _ = sender.send(read.map(|()| None)).await;
        });
        Self { batches, group_by, groups: IndexSet::new(), streams: IndexSet::new() }
    }

    /// The next pushes, in the order of their starts; `None` after the last.
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

    /// The name of a group.
    pub fn name(&self, group: u32) -> &GroupName {
        match usize::try_from(group).ok().and_then(|group| self.groups.get_index(group)) {
            Some(name) => name,
            None => unreachable!("a group has its number from here"),
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
            // In whole seconds, rounded down.
            let ended = ended_at.map_or(i64::MAX, |ended_at| ended_at.timestamp());
            pushes.push(Push { group, stream, started, ended, certainty });
        }
    }
}

/// Its number, by which it is known from then on.
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
        // Of whoever does not listen any more, nothing is wanted.
        let wanted = batches.send(Ok(Some(rows))).await.is_ok();
        Ok::<_, ReportError>((i64::try_from(pushes).unwrap_or(i64::MAX), wanted))
    };
    let (_, mut wanted) = list(StartedWhen::Before(from)).await?;
    let (mut begin, mut seconds) = (from, FIRST_SECONDS);
    while begin < to && wanted {
        let end = to.min(begin + TimeDelta::seconds(seconds));
        let (pushes, still_wanted) = list(StartedWhen::Within(begin, end)).await?;
        wanted = still_wanted;
        begin = end;
        let as_many = (seconds * STRETCH_PUSHES).checked_div(pushes).unwrap_or(MOST_SECONDS);
        seconds = as_many.clamp(1, MOST_SECONDS.min(seconds * GROWTH));
    }
    Ok(())
}
