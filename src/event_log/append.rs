//! Group commit.
//!
//! Whoever appends puts the entry on a bounded queue and waits. One writer takes whatever has gathered, appends it in
//! one statement and one commit, then wakes them all. There is no timer: an idle system answers at once, a busy one
//! batches by itself. A full queue refuses, it never grows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::histogram;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock;
use crate::store;
use crate::store::log::{FirstUseRow, NewEntryRow, UnappendedRow};
use crate::telemetry::OnceASecond;

/// The most entries in one commit.
const MOST_AT_ONCE: usize = 2_000;

/// How long the database may take to commit, a second try included. The provider waits little longer for its answer.
const PATIENCE: Duration = Duration::from_millis(3_500);

/// How far in the future a signature's expiry was allowed to lie by other settings than today's, as far as that is
/// thought of.
const EARLIER_SETTINGS: TimeDelta = TimeDelta::days(7);

/// Why an entry is not known to be in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// More is waiting than the queue holds.
    #[error("the queue of received messages is full")]
    QueueFull,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The database did not confirm the commit. It may have happened all the same; a repeat does no harm.
    #[error("the database did not confirm that the message is stored")]
    NotConfirmed,
}

impl AppendError {
    /// The word that stands in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Stopping => "stopping",
            Self::NotConfirmed => "not_confirmed",
        }
    }
}

/// What the log made of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is there, and durable.
    Stored,
    /// It is not: its signature came with another session first.
    SignatureUsed(FirstUseRow),
}

type Outcome = Result<Appended, AppendError>;

struct Pending {
    entry: NewEntryRow,
    outcome: oneshot::Sender<Outcome>,
}

/// Where entries are handed in.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Pending>,
}

/// What writes them.
pub struct Writer {
    queue: mpsc::Receiver<Pending>,
    database: PgConnectOptions,
    /// Its own: a pool asks a connection for a sign of life whenever it is handed back.
    connection: Option<PgConnection>,
    appended: Arc<Notify>,
    signature_max_future: TimeDelta,
}

/// A queue for `capacity` entries, and the writer that empties it. `appended` is told of every commit;
/// `signature_max_future` is admission's.
#[must_use]
pub fn open(
    database: PgConnectOptions,
    capacity: usize,
    appended: Arc<Notify>,
    signature_max_future: TimeDelta,
) -> (Appender, Writer) {
    let (sender, receiver) = mpsc::channel(capacity);
    let writer = Writer { queue: receiver, database, connection: None, appended, signature_max_future };
    (Appender { queue: sender }, writer)
}

impl Appender {
    /// Appends an entry; returns when it is durable, or known not to be wanted.
    ///
    /// # Errors
    /// [`AppendError`] when it is not known to be.
    pub async fn append(&self, entry: NewEntryRow) -> Outcome {
        let (outcome, told) = oneshot::channel();
        self.queue.try_send(Pending { entry, outcome }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => AppendError::Stopping,
        })?;
        told.await.unwrap_or(Err(AppendError::Stopping))
    }
}

impl Writer {
    /// Writes until stopped, and then what is still on the queue.
    pub async fn run(mut self, stopped: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            let gathered = stopped.run_until_cancelled(self.queue.recv_many(&mut batch, MOST_AT_ONCE)).await;
            if gathered.is_none() {
                self.queue.close();
                self.queue.recv_many(&mut batch, MOST_AT_ONCE).await;
            }
            if batch.is_empty() {
                return;
            }
            let (entries, waiting): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|pending| (pending.entry, pending.outcome)).unzip();
            let outcomes = self.write_in_turn(entries).await;
            for (waiter, outcome) in waiting.into_iter().zip(outcomes) {
                // Whoever has stopped waiting does not mind.
                let _ = waiter.send(outcome);
            }
            self.appended.notify_one();
        }
    }

    /// Writes a batch: first all entries but those whose signature another session has in it, then these, which the
    /// log tells by then whether they come too late.
    async fn write_in_turn(&mut self, entries: Vec<NewEntryRow>) -> Vec<Outcome> {
        let late = rivals(&entries);
        if late.is_empty() {
            return self.write(&entries).await;
        }
        let (late, in_time): (Vec<_>, Vec<_>) = entries.into_iter().enumerate().partition(|(at, _)| late.contains(at));
        let mut outcomes = Vec::with_capacity(late.len() + in_time.len());
        for some in [in_time, late] {
            let (places, entries): (Vec<_>, Vec<_>) = some.into_iter().unzip();
            let failed = outcomes.iter().find_map(|(_, outcome): &(usize, Outcome)| outcome.err());
            let written = match failed {
                // Who came first is not known.
                Some(error) => vec![Err(error); entries.len()],
                None => self.write(&entries).await,
            };
            outcomes.extend(places.into_iter().zip(written));
        }
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Appends a batch; if the database refuses something in it, each entry by itself.
    async fn write(&mut self, entries: &[NewEntryRow]) -> Vec<Outcome> {
        match self.commit(entries).await {
            Ok(unappended) => outcomes_of(entries.len(), &unappended),
            Err(error) if is_about_an_entry(&error) && entries.len() > 1 => {
                let mut outcomes = Vec::with_capacity(entries.len());
                for entry in entries {
                    let outcome = self.commit(std::slice::from_ref(entry)).await;
                    let of_one = outcome.map_or_else(|error| vec![Err(report(&error))], |rows| outcomes_of(1, &rows));
                    outcomes.extend(of_one);
                }
                outcomes
            }
            Err(error) => vec![Err(report(&error)); entries.len()],
        }
    }

    /// Commits a batch. A connection that turns out to be broken is replaced once; should the first commit have
    /// happened all the same, the second one appends repeats, which folding absorbs.
    #[expect(clippy::cast_precision_loss, reason = "batches are small")]
    async fn commit(&mut self, entries: &[NewEntryRow]) -> Result<Vec<UnappendedRow>, sqlx::Error> {
        let started = Instant::now();
        let deadline = started + PATIENCE;
        let mut outcome = self.try_commit(entries, deadline).await;
        if outcome.as_ref().is_err_and(is_broken_connection) && Instant::now() < deadline {
            outcome = self.try_commit(&told_again(entries), deadline).await;
        }
        histogram!("streamtally_append_seconds").record(started.elapsed());
        histogram!("streamtally_append_entries").record(entries.len() as f64);
        outcome
    }

    /// When a signature of these entries can have come first: it was not believed longer before it expires than
    /// settings allow, or allowed then, give or take a day between the clocks.
    fn used_from(&self, entries: &[NewEntryRow]) -> DateTime<Utc> {
        let binding = entries.iter().filter(|entry| entry.signature_tag.is_some());
        let first_expiry = binding.filter_map(|entry| entry.auth_timestamp).min().unwrap_or_default();
        let first_expiry = DateTime::from_timestamp(first_expiry, 0).unwrap_or_default();
        first_expiry - self.signature_max_future.max(EARLIER_SETTINGS) - TimeDelta::days(1)
    }

    async fn try_commit(
        &mut self,
        entries: &[NewEntryRow],
        deadline: Instant,
    ) -> Result<Vec<UnappendedRow>, sqlx::Error> {
        let committed = timeout_at(deadline, async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => PgConnection::connect_with(&self.database).await?,
            };
            let outcome = store::log::insert_entries(&mut connection, entries, self.used_from(entries)).await;
            if !outcome.as_ref().is_err_and(is_broken_connection) {
                self.connection = Some(connection);
            }
            outcome
        });
        // A connection that was given up is closed: an answer that comes yet is not to be taken for another one.
        committed.await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
    }
}

/// The same under ids of their own: should the first commit have happened all the same, each can be told from the other.
fn told_again(entries: &[NewEntryRow]) -> Vec<NewEntryRow> {
    entries.iter().map(|entry| NewEntryRow { event_id: Uuid::new_v4(), ..entry.clone() }).collect()
}

/// Which of the entries count by a signature that an earlier one counts by for another session.
fn rivals(entries: &[NewEntryRow]) -> HashSet<usize> {
    let mut sessions = HashMap::new();
    let mut rivals = HashSet::new();
    for (place, entry) in entries.iter().enumerate() {
        if let Some(signature) = entry.signature_tag
            && *sessions.entry(signature).or_insert(entry.session_id) != entry.session_id
        {
            rivals.insert(place);
        }
    }
    rivals
}

fn outcomes_of(entries: usize, unappended: &[UnappendedRow]) -> Vec<Outcome> {
    let mut outcomes = vec![Ok(Appended::Stored); entries];
    for row in unappended {
        if let Some(outcome) = outcomes.get_mut(row.index) {
            *outcome = Ok(Appended::SignatureUsed(row.first_use));
        }
    }
    outcomes
}

/// Whether the connection is of no more use: cut, silent, or ended by the database (SQLSTATE 08 and 57P).
fn is_broken_connection(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_))
        || code.is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
}

/// Whether the database refused a value (SQLSTATE classes 22 and 23) rather than failed.
fn is_about_an_entry(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

fn report(error: &sqlx::Error) -> AppendError {
    static FAILURES: OnceASecond = OnceASecond::new();
    // The database's own words may quote the entry: only its code is told.
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    let kind = match error {
        sqlx::Error::Database(_) => "the database refused",
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => "the connection broke",
        sqlx::Error::PoolTimedOut => "no connection was to be had",
        _ => "the append failed",
    };
    if FAILURES.is_due(clock::now()) {
        tracing::error!(kind, %code, "received messages could not be appended");
    }
    AppendError::NotConfirmed
}
