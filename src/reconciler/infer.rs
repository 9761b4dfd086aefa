//! Inference: finds sessions whose end callback will not come.
//!
//! It never writes a session. It appends an inferred end to the log, which is folded like any event, and which a
//! reported end overrules whenever it arrives. Appending the same end twice does no harm: the earliest counts.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use metrics::Counter;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::huawei::live_api::START_TOLERANCE;
use crate::model::close_rule::CloseRule;
use crate::model::event::OwnEvent;
use crate::model::session::EndSource;
use crate::session::StreamKey;
use crate::store;
use crate::store::inference::{FindingRow, ReplacedRow, SilentRow};
use crate::store::log::NewEntryRow;
use crate::telemetry::metrics::INFERRED_ENDS;

/// The most inferred ends of one kind in one commit.
const MAX_BATCH: i64 = 1_000;

/// How long after a search of all streams only those with new events are searched.
const SEARCH_ALL_AFTER: TimeDelta = TimeDelta::hours(1);

/// A session that the provider's list had since is on air: the lists lag behind by 2 to 4 minutes, and what they show is stored
/// every 2 minutes.
const SIGHTED_SINCE: TimeDelta = TimeDelta::minutes(7);

/// How far the database's clock, by which events are recorded, may be behind the service's, by which they are received.
/// Where it may be further, the search of all streams finds the rest.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(1);

/// When a session is considered ended without a callback.
#[derive(Debug, Clone, Copy)]
pub struct InferencePolicy {
    /// How long a later push of the stream must last: an encoder that is disconnected at once must not end another's
    /// push.
    pub supersede_after: TimeDelta,
    /// How long a session may be live, since its start or since an operator or the provider's list confirmed it; `None`: no limit. Domains may have
    /// rules of their own.
    pub close_unconfirmed_after: Option<TimeDelta>,
}

/// What earlier searches for superseded sessions have covered.
///
/// A search of all streams looks for a later session of each live one, which takes seconds where a hundred thousand are
/// live. A stream changes only by events, so the next searches read those that were recorded since; all streams are searched
/// again at times, as settings of domains change, too.
#[derive(Debug, Default)]
pub struct Covered {
    /// When all streams were searched; `None` before the first time.
    all_at: Option<DateTime<Utc>>,
    /// The streams of events that were recorded before this time were searched when the events were old enough.
    until: DateTime<Utc>,
    /// Streams of sessions that would be superseded if they were not on air by the provider's list.
    on_air: Vec<Uuid>,
}

impl Covered {
    /// The streams to search, or `None` for all.
    async fn streams_to_search(
        &self,
        connection: &mut PgConnection,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Uuid>>, sqlx::Error> {
        if self.all_at.is_none_or(|all_at| now - all_at >= SEARCH_ALL_AFTER) {
            return Ok(None);
        }
        let from = self.until - CLOCK_SKEW;
        let streams = store::inference::list_streams_recorded(connection, from, until).await?;
        Ok(Some(streams.iter().map(|stream| stream.id().0).chain(self.on_air.iter().copied()).collect()))
    }
}

/// Appends what can be inferred at `now`, ends and replaced sessions, and returns their number; 0 while another process infers.
pub async fn infer(pool: &PgPool, rules: &InferencePolicy, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    infer_further(pool, rules, &mut Covered::default(), now).await
}

/// The same, without what earlier searches have covered.
pub async fn infer_further(
    pool: &PgPool,
    rules: &InferencePolicy,
    covered: &mut Covered,
    now: DateTime<Utc>,
) -> Result<usize, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    if !store::inference::try_lock_inference(&mut *transaction).await? {
        return Ok(0);
    }
    let unfolded = store::fold::get_lag(&mut *transaction).await?.oldest_recorded_at;
    let until = unfolded.unwrap_or(now).min(now - rules.supersede_after);
    let streams = covered.streams_to_search(&mut transaction, until, now).await?;
    let searches_all = streams.is_none();
    let all_at = if searches_all { Some(now) } else { covered.all_at };
    let lasting = rules.supersede_after;
    let mut superseded = store::inference::list_superseded(&mut *transaction, now, lasting, streams, MAX_BATCH).await?;
    let found_all = i64::try_from(superseded.len()).is_ok_and(|found| found < MAX_BATCH);
    let ids: Vec<Uuid> = superseded.iter().map(|finding| finding.session_id).collect();
    let sighted = store::polling::list_sighted(&mut *transaction, &ids, now - SIGHTED_SINCE).await?;
    let on_air = superseded.extract_if(.., |finding| sighted.contains(&finding.session_id));
    let on_air: Vec<Uuid> =
        on_air.map(|FindingRow { domain, app, stream, .. }| StreamKey { domain, app, stream }.id().0).collect();
    let found_superseded = superseded.len();
    let mut entries: Vec<_> =
        superseded.into_iter().map(|finding| entry_of(finding, OwnEvent::Superseded, now)).collect();
    let timed_out = find_timed_out(&mut transaction, rules.close_unconfirmed_after, now).await?;
    let found_timed_out = timed_out.len();
    entries.extend(timed_out.into_iter().map(|finding| entry_of(finding, OwnEvent::TimedOut, now)));
    if searches_all {
        let replaced = store::inference::list_replaced(&mut *transaction, START_TOLERANCE, MAX_BATCH).await?;
        entries.extend(replaced.into_iter().map(|session| replaced_entry(session, now)));
    }
    entries.sort_by_key(|entry| entry.shard);
    for of_shard in entries.chunk_by(|one, other| one.shard == other.shard) {
        // On a connection of its own: the append commits by itself, so it holds the head row only briefly.
        store::log::insert_entries(pool, of_shard, now).await?;
    }
    transaction.commit().await?;
    // After a full batch, more may be left.
    if found_all {
        *covered = Covered { all_at, until, on_air };
    }
    inferred(EndSource::Superseded).increment(found_superseded as u64);
    inferred(EndSource::TimedOut).increment(found_timed_out as u64);
    Ok(entries.len())
}

/// The live sessions whose time is over, by the rules of their domains. Few domains have one: each has a search of its own.
async fn find_timed_out(
    transaction: &mut PgConnection,
    service_rule: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<Vec<FindingRow>, sqlx::Error> {
    let domains = store::inference::list_close_rules(&mut *transaction).await?;
    let mut found = Vec::new();
    if let Some(close_after) = service_rule {
        let with_own_rule: Vec<String> = domains.iter().map(|row| row.domain.clone()).collect();
        let known_live_until = now - close_after;
        let silent =
            store::inference::list_silent(&mut *transaction, known_live_until, &with_own_rule, MAX_BATCH).await?;
        found.extend(silent.into_iter().map(|session| timed_out_after(session, close_after)));
    }
    for row in domains {
        match row.close_rule() {
            CloseRule::After(close_after) => {
                let known_live_until = now - close_after;
                let silent =
                    store::inference::list_silent_of(&mut *transaction, known_live_until, &row.domain, MAX_BATCH)
                        .await?;
                found.extend(silent.into_iter().map(|session| timed_out_after(session, close_after)));
            }
            CloseRule::Service | CloseRule::Never => {}
        }
    }
    Ok(found)
}

/// Ends are whole seconds, like starts.
fn timed_out_after(session: SilentRow, close_after: TimeDelta) -> FindingRow {
    let SilentRow { shard, session_id, domain, app, stream, publish_timestamp, known_live_at } = session;
    let ended_at = known_live_at.trunc_subsecs(0) + close_after;
    FindingRow { shard, session_id, domain, app, stream, publish_timestamp, ended_at }
}

fn inferred(kind: EndSource) -> Counter {
    INFERRED_ENDS.counter_of(&[("kind", kind.as_str())])
}

/// Registers the counters, so that they are exported as zero before the first end.
pub fn initialize_metrics() {
    let _ = (inferred(EndSource::Superseded), inferred(EndSource::TimedOut));
}

fn replaced_entry(session: ReplacedRow, now: DateTime<Utc>) -> NewEntryRow {
    let ReplacedRow { shard, session_id, domain, app, stream, publish_timestamp } = session;
    let stream = StreamKey { domain, app, stream };
    let event = OwnEvent::Replaced;
    NewEntryRow::internal(shard, session_id, stream, publish_timestamp, event.origin(), event.as_str(), now)
}

fn entry_of(finding: FindingRow, event: OwnEvent, now: DateTime<Utc>) -> NewEntryRow {
    let FindingRow { shard, session_id, domain, app, stream, publish_timestamp, ended_at } = finding;
    let stream = StreamKey { domain, app, stream };
    let entry =
        NewEntryRow::internal(shard, session_id, stream, publish_timestamp, event.origin(), event.as_str(), now);
    NewEntryRow { ended_at: Some(ended_at), ..entry }
}
