//! The pushes that a report counts, one by one, to explain a row of it.

use sqlx::PgPool;
use uuid::Uuid;

use super::ReportError;
use super::cutoff::ReportCutoff;
use super::parameters::ReportSelection;
use crate::model::report::Certainty;
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
    let counted = |push: CountedRow| {
        let until = push.ended_at.map_or(to, |ended_at| ended_at.min(to)).timestamp();
        let seconds = (until - push.started_at.max(from).timestamp()).max(0);
        Counted { push, seconds }
    };
    Ok(rows.into_iter().map(counted).collect())
}
