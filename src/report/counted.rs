//! The pushes that a report counts, one by one, to explain a row of it.

use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt, stream};
use sqlx::PgPool;
use uuid::Uuid;

use super::ReportError;
use super::cutoff::ReportCutoff;
use super::parameters::ReportSelection;
use super::source::Stretches;
use crate::model::report::Certainty;
use crate::model::session::EndSource;
use crate::session::key::lowest_id_since;
use crate::store;
use crate::store::report::{CountedRow, StartedWhen};

/// A push, and how many of its seconds count.
#[derive(Debug, Clone)]
pub struct Counted {
    pub push: CountedRow,
    pub seconds: i64,
}

/// Pushes that count for a period, as of a fixed time, ordered by id (and so by start), after a cursor, at most `limit`;
/// optionally only those of a certainty.
pub async fn list(
    pool: &PgPool,
    selection: &ReportSelection,
    cutoff: &ReportCutoff,
    certainty: Option<Certainty>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Counted>, ReportError> {
    let as_of = cutoff.at;
    let filter = selection.filter(as_of);
    let (from, to) = (selection.from, selection.counts_until(as_of));
    let mut rows = Vec::new();
    let mut snapshot = cutoff.read(pool).await?;
    if from < to {
        if after.is_none_or(|session_id| session_id < lowest_id_since(from)) {
            rows = store::report::list_counted(
                &mut *snapshot,
                &filter,
                StartedWhen::Before(from),
                certainty,
                after,
                limit,
            )
            .await?;
        }
        let left = limit - i64::try_from(rows.len()).unwrap_or(limit);
        if left > 0 {
            let within = StartedWhen::Within(from, to);
            rows.extend(store::report::list_counted(&mut *snapshot, &filter, within, certainty, after, left).await?);
        }
    }
    snapshot.commit().await?;
    Ok(rows.into_iter().map(|push| counted(push, from, to)).collect())
}

/// How many seconds of a push count in a period.
fn counted(push: CountedRow, from: DateTime<Utc>, to: DateTime<Utc>) -> Counted {
    let until = push.ended_at.map_or(to, |ended_at| ended_at.min(to)).timestamp();
    let seconds = (until - push.started_at.max(from).timestamp()).max(0);
    Counted { push, seconds }
}

/// The number of pushes that are read at a time.
const BATCH: i64 = 5_000;

/// All pushes that [`list`] lists, in batches.
pub fn list_all(
    pool: PgPool,
    selection: &ReportSelection,
    cutoff: &ReportCutoff,
    certainty: Option<Certainty>,
) -> impl Stream<Item = Result<Vec<Counted>, ReportError>> + Send + 'static {
    let filter = selection.filter(cutoff.at);
    let (from, to) = (selection.from, selection.counts_until(cutoff.at));
    let all = Reading {
        begun: (from < to).then_some(StartedWhen::Before(from)),
        after: None,
        found: 0,
        stretches: Stretches::new(from, to, BATCH),
    };
    let cutoff = cutoff.clone();
    let read = move |mut at: Reading| {
        let (pool, filter, cutoff) = (pool.clone(), filter.clone(), cutoff.clone());
        async move {
            let Some(begun) = at.begun else { return Ok::<_, ReportError>(None) };
            let mut snapshot = cutoff.read(&pool).await?;
            let rows = store::report::list_counted(&mut *snapshot, &filter, begun, certainty, at.after, BATCH).await?;
            snapshot.commit().await?;
            at.go_on(&rows);
            Ok(Some((rows, at)))
        }
    };
    stream::try_unfold(all, read).map_ok(move |rows| rows.into_iter().map(|push| counted(push, from, to)).collect())
}

/// Where [`list_all`] reads: in stretches of time, so that no query sorts more than a few batches.
struct Reading {
    /// `None` at the end.
    begun: Option<StartedWhen>,
    /// The last push of the batch before, in this stretch.
    after: Option<Uuid>,
    /// The pushes of this stretch so far.
    found: i64,
    stretches: Stretches,
}

impl Reading {
    /// After a batch: goes on in the stretch if the batch was full, otherwise to the next stretch.
    fn go_on(&mut self, rows: &[CountedRow]) {
        let read = i64::try_from(rows.len()).unwrap_or(BATCH);
        self.found += read;
        self.after = rows.last().map(|row| row.session_id).filter(|_| read >= BATCH);
        if self.after.is_none() {
            match self.begun {
                Some(StartedWhen::Within(..)) => self.stretches.found(self.found),
                Some(StartedWhen::Before(_)) | None => {}
            }
            self.begun = self.stretches.next().map(|(begin, end)| StartedWhen::Within(begin, end));
            self.found = 0;
        }
    }
}

/// Why a push ended when it did, in English.
pub fn explain(source: Option<EndSource>) -> &'static str {
    match source {
        Some(EndSource::Notification) => {
            "The provider reported the end: the time of its first receipt, or the expiry of its signature if earlier."
        }
        Some(EndSource::Operator) => "An operator set the end: the session's events show who and why.",
        Some(EndSource::Superseded) => {
            "No end was reported: the session ends at the start of the next push of the stream."
        }
        Some(EndSource::TimedOut) => "No end was reported in time: the session timed out.",
        Some(EndSource::Unlisted) => {
            "No end was reported: the session ends when the provider's list last contained it."
        }
        Some(EndSource::ProviderHistory) => "No end callback was received: the end is from the provider's history.",
        None => "No end was known at as_of: the session counts until as_of or the end of the period.",
    }
}
