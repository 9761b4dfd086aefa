//! Inference: finds sessions whose end callback will not come.
//!
//! It never writes a session. It appends an inferred end to the log, which is folded like any event, and which a
//! reported end overrules whenever it arrives. Appending the same end twice does no harm: the earliest counts.

use chrono::{DateTime, TimeDelta, Utc};
use metrics::Counter;
use sqlx::PgPool;

use crate::model::event::OwnEvent;
use crate::model::session::EndSource;
use crate::session::StreamKey;
use crate::store;
use crate::store::inference::FindingRow;
use crate::store::log::NewEntryRow;
use crate::telemetry::metrics::INFERRED_ENDS;

/// The most inferred ends of one kind in one commit.
const MAX_BATCH: i64 = 1_000;

/// When a session is considered ended without a callback.
#[derive(Debug, Clone, Copy)]
pub struct InferencePolicy {
    /// How long a later push of the stream must last: an encoder that is disconnected at once must not end another's
    /// push.
    pub supersede_after: TimeDelta,
    /// How long a session may be live; `None`: no limit.
    pub close_unconfirmed_after: Option<TimeDelta>,
}

/// Appends the ends that can be inferred at `now`, and returns their number; 0 while another process infers.
pub async fn infer(pool: &PgPool, rules: &InferencePolicy, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    if !store::inference::try_lock_inference(&mut *transaction).await? {
        return Ok(0);
    }
    let superseded =
        store::inference::list_superseded(&mut *transaction, now, rules.supersede_after, MAX_BATCH).await?;
    let found_superseded = superseded.len();
    let mut entries: Vec<_> =
        superseded.into_iter().map(|finding| entry_of(finding, OwnEvent::Superseded, now)).collect();
    if let Some(close_after) = rules.close_unconfirmed_after {
        let silent = store::inference::list_live_since(&mut *transaction, now - close_after, MAX_BATCH).await?;
        let timed_out =
            silent.into_iter().map(|session| FindingRow { ended_at: session.ended_at + close_after, ..session });
        entries.extend(timed_out.map(|finding| entry_of(finding, OwnEvent::TimedOut, now)));
    }
    entries.sort_by_key(|entry| entry.shard);
    for of_shard in entries.chunk_by(|one, other| one.shard == other.shard) {
        // On a connection of its own: the append commits by itself, so it holds the head row only briefly.
        store::log::insert_entries(pool, of_shard, now).await?;
    }
    transaction.commit().await?;
    inferred(EndSource::Superseded).increment(found_superseded as u64);
    inferred(EndSource::TimedOut).increment((entries.len() - found_superseded) as u64);
    Ok(entries.len())
}

fn inferred(kind: EndSource) -> Counter {
    INFERRED_ENDS.counter_of(&[("kind", kind.as_str())])
}

/// Registers the counters, so that they are exported as zero before the first end.
pub fn initialize_metrics() {
    let _ = (inferred(EndSource::Superseded), inferred(EndSource::TimedOut));
}

fn entry_of(finding: FindingRow, event: OwnEvent, now: DateTime<Utc>) -> NewEntryRow {
    let FindingRow { shard, session_id, domain, app, stream, publish_timestamp, ended_at } = finding;
    let stream = StreamKey { domain, app, stream };
    let entry =
        NewEntryRow::internal(shard, session_id, stream, publish_timestamp, event.origin(), event.as_str(), now);
    NewEntryRow { ended_at: Some(ended_at), ..entry }
}
