//! Appends a batch of received callbacks, and reports what happened to each.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, timeout_at};

use super::incoming::PendingEntry;
use crate::huawei::admission::Limits;
use crate::model::event::QuarantineReason;
use crate::platform::clock;
use crate::reconciler::push::get_push_state;
use crate::registry::installation::make_partitions_ahead;
use crate::store;
use crate::store::log::{NewEntryRow, SignatureUseRow};
use crate::store::pool::{self, PoolRole};
use crate::store::relay::NewRelayBody;
use crate::telemetry::OnceASecond;
use crate::telemetry::metrics::{APPEND_ENTRIES, APPEND_SECONDS};

/// The most events in one commit.
pub(super) const MAX_BATCH: usize = 2_000;

/// Earlier settings may have accepted signatures that expire further in the future than today's settings allow: up to
/// this far.
const EARLIER_SETTINGS: TimeDelta = TimeDelta::days(7);

/// How many connections append to a cluster concurrently, each to different shards.
const AT_ONCE: usize = 8;

/// The log. One writer appends to it, or, where its shards are distributed, several, each to different shards.
pub struct Log {
    /// Whether each shard is committed on its own.
    distributed: bool,
    writers: Vec<LogWriter>,
}

/// Uses a dedicated connection: a pool pings a connection each time it is returned.
struct LogWriter {
    /// For a new connection when the present one is unusable; `None`: it is not replaced.
    database: Option<PgConnectOptions>,
    connection: Option<PgConnection>,
    limits: Limits,
    /// Whether the shards are on other servers than the other tables.
    distributed: bool,
}

/// The results of a batch, with each event's index in it.
#[derive(Default)]
pub struct Settled {
    /// Durable in the log; with a reason, quarantined by the check against it: whether its signature was used before, and
    /// whether the start of its push was received.
    pub logged: Vec<(usize, Option<QuarantineReason>)>,
    /// Not known to be in the log. If it is there nevertheless, appending it again creates a repeat, which folding
    /// absorbs.
    pub unconfirmed: Vec<(usize, PendingEntry)>,
    pub rejected: Vec<(usize, PendingEntry)>,
}

/// The result of committing a batch.
enum Committed {
    All,
    /// None, because this event must be checked against the log after the earlier ones of its session.
    NoneBecauseOf(usize),
}

impl Settled {
    fn and(mut self, other: Self) -> Self {
        self.logged.extend(other.logged);
        self.unconfirmed.extend(other.unconfirmed);
        self.rejected.extend(other.rejected);
        self
    }
}

struct BatchItem {
    place: usize,
    entry: PendingEntry,
    quarantined: Option<QuarantineReason>,
}

impl Borrow<NewEntryRow> for BatchItem {
    fn borrow(&self) -> &NewEntryRow {
        &self.entry.row
    }
}

impl Log {
    /// Opens the log of this database, whose shards are `distributed` or not, with admission's `limits`. Connects
    /// lazily.
    pub fn new(database: &PgConnectOptions, purpose: PoolRole, limits: Limits, distributed: bool) -> Self {
        let database = pool::options(database, purpose, distributed);
        let writer = || LogWriter { database: Some(database.clone()), connection: None, limits, distributed };
        let writers = std::iter::repeat_with(writer).take(if distributed { AT_ONCE } else { 1 }).collect();
        Self { distributed, writers }
    }

    /// Opens the log on one connection only, for a caller that holds a lock with it. Each event keeps its id, and is
    /// unconfirmed when the connection breaks. Each shard is committed on its own, as in a cluster, so that receiving
    /// waits for few events.
    pub fn on(connection: PgConnection, limits: Limits) -> Self {
        let writer = LogWriter { database: None, connection: Some(connection), limits, distributed: true };
        Self { distributed: true, writers: vec![writer] }
    }

    /// Appends a batch within `patience`.
    ///
    /// An event whose admission depends on the log is checked again against it, and appended with that result. If the
    /// database rejects a value in a batch, the batch is halved until the rejected event is found.
    pub async fn append(&mut self, entries: Vec<PendingEntry>, patience: Duration) -> Settled {
        let deadline = Instant::now() + patience;
        let placed = |(place, entry)| BatchItem { place, entry, quarantined: None };
        let batch = entries.into_iter().enumerate().map(placed).collect();
        // In a cluster, each shard has its own commit.
        let turns = if self.distributed { part_by_shard(batch) } else { vec![batch] };
        let mut shares: Vec<_> = self.writers.iter_mut().map(|writer| (writer, VecDeque::new())).collect();
        let writers = shares.len();
        for (number, turn) in turns.into_iter().enumerate() {
            if let Some((_, share)) = shares.get_mut(number % writers) {
                share.push_back(turn);
            }
        }
        let appending = shares.into_iter().map(|(writer, turns)| writer.append(turns, deadline));
        let mut settled = join_all(appending).await.into_iter().reduce(Settled::and).unwrap_or_default();
        settled.unconfirmed.sort_unstable_by_key(|(place, _)| *place);
        settled
    }
}

impl LogWriter {
    /// Commits one batch after the other.
    async fn append(&mut self, mut turns: VecDeque<Vec<BatchItem>>, deadline: Instant) -> Settled {
        let mut settled = Settled::default();
        while let Some(turn) = turns.pop_front() {
            let (mut turn, later) = one_session_a_signature(turn);
            if !later.is_empty() {
                turns.push_front(later);
            }
            match self.commit(&mut turn, deadline).await {
                Ok(Committed::All) => {
                    settled.logged.extend(turn.into_iter().map(|placed| (placed.place, placed.quarantined)));
                }
                Ok(Committed::NoneBecauseOf(later)) => {
                    let later = turn.split_off(later);
                    turns.push_front(later);
                    turns.push_front(turn);
                }
                Err(error) if !store::is_data_error(&error) => {
                    report(&error);
                    let unconfirmed = turn.into_iter().chain(turns.drain(..).flatten());
                    settled.unconfirmed.extend(unconfirmed.map(|mut placed| {
                        placed.entry.renew_id();
                        (placed.place, placed.entry)
                    }));
                }
                Err(_) if turn.len() > 1 => {
                    let second_half = turn.split_off(turn.len() / 2);
                    turns.push_front(second_half);
                    turns.push_front(turn);
                }
                Err(error) => {
                    report(&error);
                    settled.rejected.extend(turn.into_iter().map(|placed| (placed.place, placed.entry)));
                }
            }
        }
        settled
    }

    /// Commits a batch. A broken connection is replaced once.
    #[expect(clippy::cast_precision_loss, reason = "batches are small")]
    async fn commit(&mut self, turn: &mut [BatchItem], deadline: Instant) -> Result<Committed, sqlx::Error> {
        let started = Instant::now();
        let mut outcome = self.try_commit(turn, deadline).await;
        if self.database.is_some() && outcome.as_ref().is_err_and(is_broken_connection) {
            // This commit may have happened. New ids distinguish its events from those that are tried next.
            for placed in turn.iter_mut() {
                placed.entry.renew_id();
            }
            if Instant::now() < deadline {
                outcome = self.try_commit(turn, deadline).await;
            }
        }
        APPEND_SECONDS.histogram_of(&[]).record(started.elapsed());
        APPEND_ENTRIES.histogram_of(&[]).record(turn.len() as f64);
        outcome
    }

    async fn try_commit(&mut self, turn: &mut [BatchItem], deadline: Instant) -> Result<Committed, sqlx::Error> {
        let committed = timeout_at(deadline, async {
            let mut connection = match (self.connection.take(), &self.database) {
                (Some(connection), _) => connection,
                (None, Some(database)) => PgConnection::connect_with(database).await?,
                (None, None) => return Err(sqlx::Error::Io(std::io::ErrorKind::NotConnected.into())),
            };
            let mut outcome = self.append_reviewed(&mut connection, turn).await;
            if outcome.as_ref().is_err_and(store::lacks_partition) {
                make_partitions_ahead(&mut connection, clock::now()).await?;
                outcome = self.append_reviewed(&mut connection, turn).await;
            }
            if !outcome.as_ref().is_err_and(is_broken_connection) {
                self.connection = Some(connection);
            }
            outcome
        });
        // A connection that timed out is closed: a late response must not be read as that of a later statement.
        committed.await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
    }

    /// Appends events, each checked against the log. The loop ends: a check makes an event share its signature with the
    /// one other push that uses it, or quarantines the event, and at most one more push can start to use it meanwhile.
    async fn append_reviewed(
        &self,
        connection: &mut PgConnection,
        turn: &mut [BatchItem],
    ) -> Result<Committed, sqlx::Error> {
        let needs_start = |placed: &BatchItem| placed.entry.needs_start(&self.limits);
        if let Some(later) = first_after_its_session(turn, needs_start) {
            return Ok(Committed::NoneBecauseOf(later));
        }
        for placed in turn.iter_mut().filter(|placed| needs_start(placed)) {
            self.review(connection, placed, &[]).await?;
        }
        let bodies: Vec<_> = turn.iter().flat_map(bodies_of).collect();
        if !bodies.is_empty() {
            store::relay::insert_bodies(&mut *connection, &bodies, !self.distributed).await?;
        }
        loop {
            let uses = store::log::insert_entries(&mut *connection, turn, self.used_from(turn)).await?;
            if uses.is_empty() {
                return Ok(Committed::All);
            }
            let of_tag = |placed: &BatchItem| -> Vec<SignatureUseRow> {
                let tag = placed.entry.row.signature_tag;
                uses.iter().filter(|used| Some(used.signature_tag) == tag).copied().collect()
            };
            if let Some(later) = first_after_its_session(turn, |placed| !of_tag(placed).is_empty()) {
                return Ok(Committed::NoneBecauseOf(later));
            }
            for placed in turn.iter_mut() {
                let of_tag = of_tag(placed);
                if !of_tag.is_empty() {
                    self.review(connection, placed, &of_tag).await?;
                }
            }
        }
    }

    async fn review(
        &self,
        connection: &mut PgConnection,
        placed: &mut BatchItem,
        uses: &[SignatureUseRow],
    ) -> Result<(), sqlx::Error> {
        let row = &placed.entry.row;
        let push = get_push_state(connection, row.shard, row.session_id).await?;
        placed.quarantined = placed.entry.review(push, uses, &self.limits);
        Ok(())
    }

    /// The earliest time at which a signature of these events can have been used: the settings, or earlier ones, limit
    /// how long before its expiry it was accepted. Allows a day of clock skew.
    fn used_from(&self, turn: &[BatchItem]) -> DateTime<Utc> {
        let rows = turn.iter().map(|placed| &placed.entry.row).filter(|row| row.signature_tag.is_some());
        let first_expiry = rows.filter_map(|row| row.auth_timestamp).min().unwrap_or_default();
        let first_expiry = DateTime::from_timestamp(first_expiry, 0).unwrap_or_default();
        first_expiry - self.limits.signature_max_future.max(EARLIER_SETTINGS) - TimeDelta::days(1)
    }
}

/// The body of an event, for each relay of its domain.
fn bodies_of(placed: &BatchItem) -> impl Iterator<Item = NewRelayBody<'_>> {
    let PendingEntry { row, body } = &placed.entry;
    let NewEntryRow { event_id, received_at, .. } = *row;
    body.iter().flat_map(move |body| {
        body.webhook_ids.iter().map(move |webhook_id| NewRelayBody {
            webhook_id: *webhook_id,
            event_id,
            received_at,
            body,
        })
    })
}

/// The first event to check whose session has an earlier event in the batch.
fn first_after_its_session(turn: &[BatchItem], is_checked: impl Fn(&BatchItem) -> bool) -> Option<usize> {
    if !turn.iter().any(&is_checked) {
        return None;
    }
    let mut sessions = HashSet::new();
    turn.iter().position(|placed| !sessions.insert(placed.entry.row.session_id) && is_checked(placed))
}

/// Registers the histograms, so that they are exported before the first append.
pub fn initialize_metrics() {
    let _ = (APPEND_SECONDS.histogram_of(&[]), APPEND_ENTRIES.histogram_of(&[]));
}

fn part_by_shard(batch: Vec<BatchItem>) -> Vec<Vec<BatchItem>> {
    let mut parts = BTreeMap::<i16, Vec<_>>::new();
    for placed in batch {
        parts.entry(placed.entry.row.shard).or_default().push(placed);
    }
    parts.into_values().collect()
}

/// Splits a batch before the first event whose signature an earlier session in the batch uses: it is appended later, when
/// it can be checked against the log. Each event is so checked in its order.
fn one_session_a_signature(mut batch: Vec<BatchItem>) -> (Vec<BatchItem>, Vec<BatchItem>) {
    let mut sessions = HashMap::new();
    let conflicts = |placed: &BatchItem| {
        let row = &placed.entry.row;
        row.signature_tag.is_some_and(|tag| *sessions.entry(tag).or_insert(row.session_id) != row.session_id)
    };
    let first = batch.iter().position(conflicts).unwrap_or(batch.len());
    let later = batch.split_off(first);
    (batch, later)
}

/// Whether the connection is unusable: cut, timed out, or closed by the database (SQLSTATE 08 and 57P).
fn is_broken_connection(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_))
        || code.is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
}

fn report(error: &sqlx::Error) {
    static FAILURES: OnceASecond = OnceASecond::new();
    // Logs only the code: the database's message may quote the event.
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    let kind = match error {
        sqlx::Error::Database(_) => "the database rejected the callbacks",
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => "the connection broke",
        _ => "the append failed",
    };
    if FAILURES.is_due(clock::now()) {
        tracing::error!(
            kind,
            %code,
            "callbacks could not be appended to the log: they go to the spool or are answered 503; check the \
             database"
        );
    }
}
