//! Looks up in the provider's history what the callbacks did not tell.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::sleep;
use uuid::Uuid;

use super::account::LimitedError;
use super::domain::{AppendError, Domain, difference, jittered, store_differences};
use super::history::{LONGEST, find_end, periods_since, read_period, times_due};
use super::missed::{Comparison, Discrepancy, compare, was_listed_after};
use crate::huawei::live_api::START_TOLERANCE;
use crate::huawei::live_api::answer::PastPush;
use crate::model::event::OwnEvent;
use crate::model::polling::{DifferenceKind, PollMode};
use crate::platform::clock;
use crate::session::key::lowest_id_since;
use crate::session::{SessionId, SessionKey, StreamKey};
use crate::store;
use crate::store::log::NewEntryRow;
use crate::store::polling::{DifferenceKey, DifferenceRow, KnownSessionRow};
use crate::telemetry::metrics::POLL_FINDINGS;

/// The pause after the history was looked for.
const PAUSE: Duration = Duration::from_mins(1);

/// How often the history is compared with the sessions.
const COMPARE_EVERY: Duration = Duration::from_hours(1);

/// How long ago pushes ended that are compared: late callbacks are in.
const COMPARE_AFTER: TimeDelta = TimeDelta::hours(1);

/// What this process has looked up so far.
#[derive(Debug, Default)]
struct LookedUp {
    /// How often each session was looked for.
    asked: HashMap<Uuid, usize>,
    /// When the history was compared, by a clock that never jumps.
    compared: Option<Duration>,
    /// What was found then.
    found: HashSet<(DifferenceKind, String, String, DateTime<Utc>)>,
}

/// Why the history was not looked up.
#[derive(Debug, thiserror::Error)]
enum LookUpError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Provider(#[from] LimitedError),
}

impl Domain {
    /// Looks things up in the history, again and again.
    pub(super) async fn look_up(&self) {
        let mut looked_up = LookedUp::default();
        let mut was_failing = false;
        loop {
            let tried = self.look_up_once(&mut looked_up).await;
            // What else fails is reported where the lists are read.
            if let (Err(LookUpError::Provider(error @ LimitedError::Poll(_))), false) = (&tried, was_failing) {
                let error: &dyn std::error::Error = error;
                tracing::warn!(domain = self.name, error, "the provider's history cannot be read; retrying");
            }
            was_failing = tried.is_err();
            // The more was read, the longer: the account may have other domains.
            sleep(jittered(PAUSE * tried.unwrap_or_default().max(1))).await;
        }
    }

    /// Returns how many periods were read for sessions that are due.
    async fn look_up_once(&self, looked_up: &mut LookedUp) -> Result<u32, LookUpError> {
        let read = self.look_up_ends(&mut looked_up.asked).await?;
        let now = self.account.steady();
        if looked_up.compared.is_none_or(|compared| now.saturating_sub(compared) >= COMPARE_EVERY) {
            self.compare(looked_up).await?;
            looked_up.compared = Some(now);
        }
        Ok(read)
    }

    /// Looks up the ends of sessions that are due, and returns how many periods were read. `asked` says how often each session was.
    async fn look_up_ends(&self, asked: &mut HashMap<Uuid, usize>) -> Result<u32, LookUpError> {
        let inferred = self.list_inferred().await?;
        let now = clock::now();
        let times = |row: &KnownSessionRow| row.ended_at.map_or(0, |ended_at| times_due(now - ended_at));
        let known: HashSet<Uuid> = inferred.iter().map(|row| row.session_id).collect();
        asked.retain(|session_id, _| known.contains(session_id));
        let is_due = |row: &&KnownSessionRow| times(row) > asked.get(&row.session_id).copied().unwrap_or_default();
        let due: Vec<KnownSessionRow> = inferred.iter().filter(is_due).cloned().collect();
        let Some(earliest) = due.iter().map(|row| row.started_at).min() else { return Ok(0) };
        let ids: Vec<Uuid> = due.iter().map(|row| row.session_id).collect();
        let listed = store::polling::list_last_listed(&self.pool, &ids).await?;
        let mut periods = Vec::new();
        for period in periods_since(earliest, now) {
            periods.push(read_period(&*self.account, &self.name, period).await?);
        }
        let found: Vec<_> = due
            .iter()
            .filter_map(|row| find_end(&row.app, &row.stream, row.started_at, &periods).map(|ended_at| (row, ended_at)))
            .filter(|(row, ended_at)| !was_listed_after(&listed, row.session_id, *ended_at))
            .collect();
        let repairs = self.mode == PollMode::Repair;
        if repairs {
            let entry = |(row, ended_at): &(&KnownSessionRow, DateTime<Utc>)| {
                self.entry(row, OwnEvent::History, now, Some(*ended_at))
            };
            self.append_entries(found.iter().map(entry).collect()).await?;
        }
        let kind = DifferenceKind::History;
        self.count(kind, found.len());
        let differences = found.iter().map(|(row, ended_at)| difference(row, kind, Some(*ended_at), now, repairs));
        store_differences(&self.pool, &self.name, differences.collect()).await?;
        asked.extend(due.iter().map(|row| (row.session_id, times(row))));
        Ok(u32::try_from(periods.len()).unwrap_or(u32::MAX))
    }

    /// Compares a day of the history with the sessions. It moves on each hour, so that each push of less than 23 hours is whole in
    /// one of these days.
    async fn compare(&self, looked_up: &mut LookedUp) -> Result<(), LookUpError> {
        let now = clock::now();
        let to = now - COMPARE_AFTER;
        let from = to - LONGEST;
        let period = read_period(&*self.account, &self.name, (from, to)).await?;
        // Callbacks that arrived while the history was read are among them.
        let ids = (lowest_id_since(from - START_TOLERANCE), lowest_id_since(to + START_TOLERANCE));
        let told = store::polling::list_told_sessions(&self.pool, &self.name, ids).await?;
        let ids: Vec<Uuid> = told.iter().map(|row| row.session_id).collect();
        let listed = store::polling::list_last_listed(&self.pool, &ids).await?;
        let repairs = self.mode == PollMode::Repair;
        let (mut entries, mut differences) = (Vec::new(), Vec::new());
        let Comparison { discrepancies, starts_agree } = compare(&period, &told, &listed, self.registered_at);
        for discrepancy in discrepancies {
            match discrepancy {
                Discrepancy::Missed(push) if !self.is_accepted(&push.app) => {}
                Discrepancy::Missed(push) => {
                    let is_sure = repairs && starts_agree;
                    let (entry, difference) = self.missed(push, now, is_sure);
                    entries.extend(is_sure.then_some(entry));
                    differences.push(difference);
                }
                Discrepancy::Ended { session, ended_at } => {
                    let known = KnownSessionRow::from(session.clone());
                    entries.push(self.entry(&known, OwnEvent::History, now, Some(ended_at)));
                    differences.push(difference(&known, DifferenceKind::History, Some(ended_at), now, repairs));
                }
                Discrepancy::EndDiffers { session, ended_at } => {
                    let known = KnownSessionRow::from(session.clone());
                    if session.history_ended_at != Some(ended_at) {
                        entries.push(self.entry(&known, OwnEvent::History, now, Some(ended_at)));
                    }
                    differences.push(difference(&known, DifferenceKind::EndDiffers, Some(ended_at), now, repairs));
                }
            }
        }
        if repairs {
            self.append_entries(entries).await?;
        }
        let identity = |row: &DifferenceRow| {
            let DifferenceKey { kind, app, stream, started_at, .. } = &row.key;
            (*kind, app.clone(), stream.clone(), *started_at)
        };
        for difference in differences.iter().filter(|row| !looked_up.found.contains(&identity(row))) {
            self.count(difference.key.kind, 1);
        }
        looked_up.found = differences.iter().map(identity).collect();
        store_differences(&self.pool, &self.name, differences).await?;
        Ok(())
    }

    /// What makes a session of a push for which no callback was received, and the difference that it is.
    fn missed(&self, push: &PastPush, now: DateTime<Utc>, repairs: bool) -> (NewEntryRow, DifferenceRow) {
        let PastPush { app, stream, started_at, ended_at, from_encoder: _ } = push.clone();
        let stream = StreamKey { domain: self.name.clone(), app, stream };
        let shard = stream.shard(self.shards);
        let publish_timestamp = started_at.timestamp();
        let key = SessionKey { stream: stream.clone(), publish_timestamp };
        let SessionId(session_id) = key.id();
        let event = OwnEvent::History;
        let (origin, word) = (event.origin(), event.as_str());
        let entry = NewEntryRow::internal(shard, session_id, stream, publish_timestamp, origin, word, now);
        let key = DifferenceKey {
            last_seen_at: now,
            kind: DifferenceKind::MissedPush,
            app: key.stream.app,
            stream: key.stream.stream,
            started_at,
        };
        let session_id = repairs.then_some(session_id);
        let difference =
            DifferenceRow { key, session_id, ended_at: Some(ended_at), first_seen_at: now, repaired: repairs };
        (NewEntryRow { ended_at: Some(ended_at), ..entry }, difference)
    }

    fn count(&self, kind: DifferenceKind, found: usize) {
        let counter = POLL_FINDINGS.counter_of(&[("kind", kind.as_str()), ("mode", self.mode.as_str())]);
        counter.increment(found as u64);
    }
}
