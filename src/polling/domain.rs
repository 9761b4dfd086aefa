//! Polls a domain: reads its sessions, its lists and its history, and stores what follows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::account::{LimitedAccount, LimitedError};
use super::turn::{DomainPolling, Moment, Outcome, Turn};
use super::watch::{Conclusion, InferredEnd, KnownSession, Watch};
use crate::huawei::live_api::START_TOLERANCE;
use crate::huawei::live_api::answer::ListedStream;
use crate::huawei::notification::are_names;
use crate::model::event::OwnEvent;
use crate::model::polling::{DifferenceKind, PollMode, PollOutcome};
use crate::platform::clock;
use crate::reconciler::database_clock::{ClockError, ClockReading};
use crate::session::key::lowest_id_since;
use crate::session::{SessionKey, StreamKey, Unlisted, lifecycle};
use crate::store;
use crate::store::log::NewEntryRow;
use crate::store::polling::{DifferenceKey, DifferenceRow, KnownSessionRow, PollRow, SightingRow};
use crate::telemetry::metrics::{POLL_FINDINGS, POLL_SECONDS, POLL_START_DIFFERENCE_SECONDS, POLLS};

/// The pause after a list.
const PAUSE: Duration = Duration::from_mins(1);

/// How long ago a session may have started whose inferred end is compared with the lists. The history reaches as far.
const REACH: TimeDelta = TimeDelta::days(7);

/// A sighting is stored again when the stored one is older than this.
const SIGHTING_AGE: TimeDelta = TimeDelta::minutes(2);

/// Sightings that are older are not read. A live session has one of the last minutes.
const OLDEST_SIGHTING: TimeDelta = TimeDelta::days(1);

/// For how long after a change of the account a list may have been read with what it was before.
const ACCOUNT_CHANGE: TimeDelta = TimeDelta::minutes(1);

/// The most entries in one commit, which other events of the shard wait for.
const MAX_BATCH: usize = 1_000;

/// What monitoring asks of a domain.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    /// When the last complete list was read; before the first, when polling began.
    pub complete_at: DateTime<Utc>,
    pub has_mass_absence: bool,
}

/// Why nothing was appended to the log.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Clock(#[from] ClockError),
}

/// A domain that is polled by this process.
pub struct Domain {
    pub pool: PgPool,
    /// Nothing is appended while the clocks are off by more.
    pub clock_tolerance: TimeDelta,
    /// The number of shards of the installation.
    pub shards: i16,
    pub account: Arc<LimitedAccount>,
    /// When the account was changed. What it listed before says nothing of what it lists now.
    pub account_since: DateTime<Utc>,
    pub name: String,
    /// The apps whose callbacks are accepted; `None`: all.
    pub apps: Option<Vec<String>>,
    /// When it was registered: of earlier pushes no callback was expected.
    pub registered_at: DateTime<Utc>,
    pub mode: PollMode,
    /// A session is confirmed in the log when it was last known to be live this long ago.
    pub confirm_after: TimeDelta,
    pub health: watch::Sender<Health>,
}

impl Domain {
    /// Polls until it is dropped.
    pub async fn run(self) {
        tokio::join!(self.watch(), self.look_up());
    }

    async fn watch(&self) {
        let mut stored = HashMap::new();
        let mut polling = None;
        let mut was_failing = false;
        loop {
            let turn = self.turn(&mut polling, &mut stored).await;
            if let (Err(error), false) = (&turn, was_failing) {
                let error = error as &dyn std::error::Error;
                tracing::warn!(domain = self.name, error, "the provider's list cannot be used: check the database");
            }
            was_failing = turn.is_err();
            sleep(jittered(PAUSE)).await;
        }
    }

    /// Reads the list once.
    async fn turn(
        &self,
        polling: &mut Option<DomainPolling>,
        stored: &mut HashMap<Uuid, DateTime<Utc>>,
    ) -> Result<(), AppendError> {
        let known = self.list_known().await?;
        let polling = match polling {
            Some(polling) => polling,
            none => none.insert(self.begin(stored).await?),
        };
        let sessions: Vec<KnownSession> = known.iter().map(known_session).collect();
        let now = || Moment { at: clock::now(), steady: self.account.steady() };
        let begun = now();
        let mut turn = polling.turn(&*self.account, &sessions, now).await;
        let took = self.account.steady().saturating_sub(begun.steady);
        let repairs = self.mode == PollMode::Repair;
        let appended = if repairs { self.append(&turn, &known).await } else { Ok(()) };
        if appended.is_err() {
            for finding in &turn.findings {
                polling.say_again(finding.session_id);
            }
        }
        self.report(&turn, took);
        self.health.send_modify(|health| {
            health.has_mass_absence = polling.has_mass_absence();
            if matches!(turn.outcome, Outcome::Complete) {
                health.complete_at = turn.begun_at;
            }
        });
        // First, because they keep a session that is on air from being superseded.
        self.store_sightings(polling, stored, &known).await?;
        let repaired = repairs && appended.is_ok();
        let unknown = self.without_sessions(turn.unknown.take().unwrap_or_default()).await?;
        let mass_absence = polling.has_mass_absence();
        self.store(&turn, took, &known, &unknown, repaired, mass_absence).await?;
        appended
    }

    /// The sessions that the lists can say something of.
    async fn list_known(&self) -> Result<Vec<KnownSessionRow>, sqlx::Error> {
        let mut known = store::polling::list_live_sessions(&self.pool, &self.name).await?;
        known.extend(self.list_inferred().await?);
        Ok(known)
    }

    pub(super) async fn list_inferred(&self) -> Result<Vec<KnownSessionRow>, sqlx::Error> {
        let from = lowest_id_since(clock::now() - REACH);
        store::polling::list_inferred_ends(&self.pool, &self.name, from).await
    }

    async fn begin(&self, stored: &mut HashMap<Uuid, DateTime<Utc>>) -> Result<DomainPolling, sqlx::Error> {
        let account_id = self.account.account().account_id;
        let since = (self.account_since + ACCOUNT_CHANGE).max(clock::now() - OLDEST_SIGHTING);
        let rows = store::polling::list_sightings(&self.pool, &self.name, account_id, since).await?;
        *stored = rows.iter().map(|row| (row.session_id, row.last_listed_at)).collect();
        let watch = Watch::new(self.confirm_after, stored.clone(), self.account.steady());
        Ok(DomainPolling::new(self.name.clone(), watch))
    }

    /// Appends what was found to the log.
    async fn append(&self, turn: &Turn<LimitedError>, known: &[KnownSessionRow]) -> Result<(), AppendError> {
        let rows: HashMap<Uuid, &KnownSessionRow> = known.iter().map(|row| (row.session_id, row)).collect();
        let entry = |finding: &super::watch::Finding| {
            let row = rows.get(&finding.session_id)?;
            Some(match finding.conclusion {
                Conclusion::Listed { listed_at } => self.entry(row, OwnEvent::Listed, listed_at, None),
                Conclusion::Unlisted(Unlisted { unlisted_at, ended_at }) => {
                    self.entry(row, OwnEvent::Unlisted, unlisted_at, Some(ended_at))
                }
            })
        };
        self.append_entries(turn.findings.iter().filter_map(entry).collect()).await
    }

    pub(super) fn entry(
        &self,
        row: &KnownSessionRow,
        event: OwnEvent,
        at: DateTime<Utc>,
        ended_at: Option<DateTime<Utc>>,
    ) -> NewEntryRow {
        let stream = StreamKey { domain: self.name.clone(), app: row.app.clone(), stream: row.stream.clone() };
        let (origin, event) = (event.origin(), event.as_str());
        let entry = NewEntryRow::internal(row.shard, row.session_id, stream, row.publish_timestamp, origin, event, at);
        NewEntryRow { ended_at, ..entry }
    }

    pub(super) async fn append_entries(&self, mut entries: Vec<NewEntryRow>) -> Result<(), AppendError> {
        if entries.is_empty() {
            return Ok(());
        }
        ClockReading::take(&self.pool).await?.check(self.clock_tolerance)?;
        entries.sort_by_key(|entry| entry.shard);
        let of_shards = entries.chunk_by(|one, other| one.shard == other.shard);
        for batch in of_shards.flat_map(|of_shard| of_shard.chunks(MAX_BATCH)) {
            store::log::insert_entries(&self.pool, batch, clock::now()).await?;
        }
        Ok(())
    }

    /// Whether callbacks of this app are accepted. Of others, none are missed.
    pub(super) fn is_accepted(&self, app: &str) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.iter().any(|accepted| accepted == app))
    }

    /// The rows of which no session is known, ended ones included: a push stays listed for minutes after its end. What cannot be
    /// the name of a session cannot be stored either, and is left out.
    async fn without_sessions(&self, rows: Vec<ListedStream>) -> Result<Vec<ListedStream>, sqlx::Error> {
        let rows = rows.into_iter().filter(|row| are_names(&row.app, &row.stream) && self.is_accepted(&row.app));
        let rows: Vec<_> = rows.map(|row| (self.possible_ids(&row), row)).collect();
        let ids: Vec<Uuid> = rows.iter().flat_map(|(ids, _)| ids).copied().collect();
        let known = store::polling::list_seen(&self.pool, &ids).await?;
        let is_unknown = |ids: &[Uuid]| !ids.iter().any(|id| known.contains(id));
        Ok(rows.into_iter().filter(|(ids, _)| is_unknown(ids)).map(|(_, row)| row).collect())
    }

    /// The ids that the session of a row can have.
    fn possible_ids(&self, row: &ListedStream) -> Vec<Uuid> {
        let stream = StreamKey { domain: self.name.clone(), app: row.app.clone(), stream: row.stream.clone() };
        let (start, tolerance) = (row.started_at.timestamp(), START_TOLERANCE.num_seconds());
        let key = |publish_timestamp| SessionKey { stream: stream.clone(), publish_timestamp };
        (start - tolerance..=start + tolerance).map(|start| key(start).id().0).collect()
    }

    async fn store(
        &self,
        turn: &Turn<LimitedError>,
        took: Duration,
        known: &[KnownSessionRow],
        unknown: &[ListedStream],
        repaired: bool,
        mass_absence: bool,
    ) -> Result<(), sqlx::Error> {
        let (outcome, error_code) = outcome_of(turn);
        let poll = PollRow {
            begun_at: turn.begun_at,
            milliseconds: i32::try_from(took.as_millis()).unwrap_or(i32::MAX),
            outcome,
            pages: i32::try_from(turn.pages).unwrap_or(i32::MAX),
            listed: i32::try_from(turn.listed).unwrap_or(i32::MAX),
            matched: i32::try_from(turn.matched).unwrap_or(i32::MAX),
            error_code: error_code.map(str::to_owned),
            mass_absence,
        };
        store::polling::insert_poll(&self.pool, &self.name, &poll).await?;
        let rows: HashMap<Uuid, &KnownSessionRow> = known.iter().map(|row| (row.session_id, row)).collect();
        let of_finding = |finding: &super::watch::Finding| {
            let row = rows.get(&finding.session_id)?;
            let (kind, ended_at) = match &finding.conclusion {
                // A confirmation is no difference.
                Conclusion::Listed { .. } if row.ended_at.is_none() => return None,
                Conclusion::Listed { .. } => (DifferenceKind::Listed, None),
                Conclusion::Unlisted(unlisted) => (DifferenceKind::Unlisted, Some(unlisted.ended_at)),
            };
            Some(difference(row, kind, ended_at, turn.begun_at, repaired))
        };
        let of_unknown = |row: &ListedStream| DifferenceRow {
            key: DifferenceKey {
                last_seen_at: turn.begun_at,
                kind: DifferenceKind::UnknownPush,
                app: row.app.clone(),
                stream: row.stream.clone(),
                started_at: row.started_at,
            },
            session_id: None,
            ended_at: None,
            first_seen_at: turn.begun_at,
            repaired: false,
        };
        let mut differences: Vec<_> = turn.findings.iter().filter_map(of_finding).collect();
        differences.extend(unknown.iter().map(of_unknown));
        store_differences(&self.pool, &self.name, differences).await
    }

    /// Stores sightings that are newer than the stored ones by some minutes.
    async fn store_sightings(
        &self,
        polling: &DomainPolling,
        stored: &mut HashMap<Uuid, DateTime<Utc>>,
        known: &[KnownSessionRow],
    ) -> Result<(), sqlx::Error> {
        let known: HashSet<Uuid> = known.iter().map(|row| row.session_id).collect();
        let is_stale = |(session_id, last_listed_at): &(Uuid, DateTime<Utc>)| {
            known.contains(session_id) && stored.get(session_id).is_none_or(|at| *last_listed_at - *at >= SIGHTING_AGE)
        };
        let stale = polling.sightings().filter(is_stale);
        let rows: Vec<_> =
            stale.map(|(session_id, last_listed_at)| SightingRow { session_id, last_listed_at }).collect();
        if !rows.is_empty() {
            let account_id = self.account.account().account_id;
            store::polling::upsert_sightings(&self.pool, &self.name, account_id, &rows).await?;
        }
        stored.retain(|session_id, _| known.contains(session_id));
        stored.extend(rows.into_iter().map(|row| (row.session_id, row.last_listed_at)));
        Ok(())
    }

    fn report(&self, turn: &Turn<LimitedError>, took: Duration) {
        let (outcome, _) = outcome_of(turn);
        POLLS.counter_of(&[("outcome", outcome.as_str())]).increment(1);
        POLL_SECONDS.histogram_of(&[]).record(took.as_secs_f64());
        for difference in &turn.start_differences {
            POLL_START_DIFFERENCE_SECONDS.histogram_of(&[]).record(difference.abs().as_seconds_f64());
        }
        for finding in &turn.findings {
            let kind = match finding.conclusion {
                Conclusion::Listed { .. } => DifferenceKind::Listed,
                Conclusion::Unlisted(_) => DifferenceKind::Unlisted,
            };
            POLL_FINDINGS.counter_of(&[("kind", kind.as_str()), ("mode", self.mode.as_str())]).increment(1);
        }
    }
}

/// A pause, give or take a tenth: domains are not polled all at once.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.9..1.1))
}

pub(super) async fn store_differences(
    pool: &PgPool,
    domain: &str,
    rows: Vec<DifferenceRow>,
) -> Result<(), sqlx::Error> {
    if rows.is_empty() { Ok(()) } else { store::polling::upsert_differences(pool, domain, rows).await }
}

pub(super) fn difference(
    row: &KnownSessionRow,
    kind: DifferenceKind,
    ended_at: Option<DateTime<Utc>>,
    seen_at: DateTime<Utc>,
    repaired: bool,
) -> DifferenceRow {
    DifferenceRow {
        key: DifferenceKey {
            last_seen_at: seen_at,
            kind,
            app: row.app.clone(),
            stream: row.stream.clone(),
            started_at: row.started_at,
        },
        session_id: Some(row.session_id),
        ended_at,
        first_seen_at: seen_at,
        repaired,
    }
}

fn outcome_of(turn: &Turn<LimitedError>) -> (PollOutcome, Option<&str>) {
    match &turn.outcome {
        Outcome::Complete => (PollOutcome::Complete, None),
        Outcome::Torn => (PollOutcome::Torn, None),
        Outcome::Failed(error) => (error.outcome(), error.code()),
    }
}

fn known_session(row: &KnownSessionRow) -> KnownSession {
    KnownSession {
        session_id: row.session_id,
        app: row.app.clone(),
        stream: row.stream.clone(),
        started_at: row.started_at,
        known_live_at: lifecycle::known_live_at(row.started_at, row.confirmed_at),
        inferred: row.ended_at.zip(row.ended_at_source).map(|(ended_at, source)| InferredEnd { ended_at, source }),
    }
}
