//! Appending a batch of received messages, and telling the truth about each.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, VecDeque};
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
use crate::telemetry::OnceASecond;
use crate::telemetry::metrics::{APPEND_ENTRIES, APPEND_SECONDS};

/// The most entries in one commit.
pub(super) const MAX_BATCH: usize = 2_000;

/// How far in the future a signature's expiry was allowed to lie by other settings than today's, as far as that is
/// thought of.
const EARLIER_SETTINGS: TimeDelta = TimeDelta::days(7);

/// How many connections append to a cluster at a time, each to other shards.
const AT_ONCE: usize = 8;

/// The log: appended to by one writer, or, where its shards are distributed, by several, each of other shards.
pub struct Log {
    distributed: bool,
    writers: Vec<LogWriter>,
}

/// Over a connection of one's own: a pool asks a connection for a sign of life whenever it is handed back.
struct LogWriter {
    database: PgConnectOptions,
    connection: Option<PgConnection>,
    limits: Limits,
}

/// What became of a batch, by the entries' places in it.
#[derive(Default)]
pub struct Settled {
    /// Durable in the log; with a reason, quarantined because its signature was used before.
    pub logged: Vec<(usize, Option<QuarantineReason>)>,
    /// Not known to be in the log. Should it be there all the same, to append it again makes a repeat, which folding
    /// absorbs.
    pub unconfirmed: Vec<(usize, PendingEntry)>,
    pub rejected: Vec<(usize, PendingEntry)>,
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
    /// The log of this database, whose shards are `distributed` or not. `limits` are admission's. Connects when first
    /// needed.
    pub fn new(database: &PgConnectOptions, purpose: PoolRole, limits: Limits, distributed: bool) -> Self {
        let database = pool::options(database, purpose, distributed);
        let writer = || LogWriter { database: database.clone(), connection: None, limits };
        let writers = std::iter::repeat_with(writer).take(if distributed { AT_ONCE } else { 1 }).collect();
        Self { distributed, writers }
    }

    /// Appends a batch within `patience`.
    ///
    /// An entry that needs something of the log to count is judged again by that, and appended as what it then is. If
    /// the database rejects something in a batch, it is halved until what is rejected is found.
    pub async fn append(&mut self, entries: Vec<PendingEntry>, patience: Duration) -> Settled {
        let deadline = Instant::now() + patience;
        let placed = |(place, entry)| BatchItem { place, entry, quarantined: None };
        let batch = entries.into_iter().enumerate().map(placed).collect();
        // In a cluster, each shard is committed by itself.
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
    /// Commits one turn after the other.
    async fn append(&mut self, mut turns: VecDeque<Vec<BatchItem>>, deadline: Instant) -> Settled {
        let mut settled = Settled::default();
        while let Some(turn) = turns.pop_front() {
            let (mut turn, later) = one_session_a_signature(turn);
            turns.extend(Some(later).filter(|later| !later.is_empty()));
            match self.commit(&mut turn, deadline).await {
                Ok(()) => {
                    settled.logged.extend(turn.into_iter().map(|placed| (placed.place, placed.quarantined)));
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

    /// Commits a turn. A connection that turns out to be broken is replaced once.
    #[expect(clippy::cast_precision_loss, reason = "batches are small")]
    async fn commit(&mut self, turn: &mut [BatchItem], deadline: Instant) -> Result<(), sqlx::Error> {
        let started = Instant::now();
        let mut outcome = self.try_commit(turn, deadline).await;
        if outcome.as_ref().is_err_and(is_broken_connection) {
            // Should this commit have happened all the same, its entries are known from those that are tried next.
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

    async fn try_commit(&mut self, turn: &mut [BatchItem], deadline: Instant) -> Result<(), sqlx::Error> {
        let committed = timeout_at(deadline, async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => PgConnection::connect_with(&self.database).await?,
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
        // A connection that was given up is closed: an answer that comes yet is not to be taken for another one.
        committed.await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
    }

    /// Appends entries, each reviewed by what the log says. The loop ends: a review makes an entry share its signature with
    /// the one other push that uses it, or gives up the signature, and at most one more push can come to use it meanwhile.
    async fn append_reviewed(&self, connection: &mut PgConnection, turn: &mut [BatchItem]) -> Result<(), sqlx::Error> {
        for placed in turn.iter_mut().filter(|placed| placed.entry.needs_start(&self.limits)) {
            self.review(connection, placed, &[]).await?;
        }
        loop {
            let uses = store::log::insert_entries(&mut *connection, turn, self.used_from(turn)).await?;
            if uses.is_empty() {
                return Ok(());
            }
            for placed in turn.iter_mut() {
                let tag = placed.entry.row.signature_tag;
                let of_tag: Vec<_> = uses.iter().filter(|used| Some(used.signature_tag) == tag).copied().collect();
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

    /// When a signature of these entries can have come first: it was not believed longer before it expires than
    /// settings allow, or allowed then, give or take a day between the clocks.
    fn used_from(&self, turn: &[BatchItem]) -> DateTime<Utc> {
        let rows = turn.iter().map(|placed| &placed.entry.row).filter(|row| row.signature_tag.is_some());
        let first_expiry = rows.filter_map(|row| row.auth_timestamp).min().unwrap_or_default();
        let first_expiry = DateTime::from_timestamp(first_expiry, 0).unwrap_or_default();
        first_expiry - self.limits.signature_max_future.max(EARLIER_SETTINGS) - TimeDelta::days(1)
    }
}

/// Serves these times and sizes from now on, before there are any.
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

/// Parts a batch: the entries whose signature another session has before them in it are to come later, when the log
/// can tell.
fn one_session_a_signature(batch: Vec<BatchItem>) -> (Vec<BatchItem>, Vec<BatchItem>) {
    let mut sessions = HashMap::new();
    batch.into_iter().partition(|placed| {
        let row = &placed.entry.row;
        row.signature_tag.is_none_or(|tag| *sessions.entry(tag).or_insert(row.session_id) == row.session_id)
    })
}

/// Whether the connection is of no more use: cut, silent, or ended by the database (SQLSTATE 08 and 57P).
fn is_broken_connection(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_))
        || code.is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
}

fn report(error: &sqlx::Error) {
    static FAILURES: OnceASecond = OnceASecond::new();
    // The database's own words may quote the entry: only its code is told.
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    let kind = match error {
        sqlx::Error::Database(_) => "the database refused",
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
