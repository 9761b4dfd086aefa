//! Group commit.
//!
//! Whoever appends puts the entry on a bounded queue and waits. One writer takes whatever has gathered, appends it in
//! one statement and one commit, then wakes them all. An idle system answers at once, a busy one batches by itself; it waits
//! for a moment for those who were answered just now. A full queue rejects, it never grows.
//!
//! What the database does not confirm goes to the spool, and so does all that comes after it until that is drained.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::append::{Log, MAX_BATCH};
use super::incoming::PendingEntry;
use super::spool::Spool;
use crate::model::event::QuarantineReason;
use crate::platform::clock;
use crate::telemetry::OnceASecond;

/// How long a busy service waits for messages that go well into one commit.
const GATHER: Duration = Duration::from_micros(500);

/// How long the database may take to commit, a second try included. The provider waits little longer for its answer.
const APPEND_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Why a message is not known to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// More is waiting than the queue holds.
    #[error("the queue of received messages is full")]
    QueueFull,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The database did not confirm it, and the spool cannot take it. It may be in the log all the same; a repeat does
    /// no harm.
    #[error("neither the database nor the spool confirms that the message is stored")]
    NotConfirmed,
    /// The database rejects what it says.
    #[error("the database refuses the message")]
    Rejected,
}

impl AppendError {
    /// Every error.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::Stopping, Self::NotConfirmed, Self::Rejected];

    /// The word that stands in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Stopping => "stopping",
            Self::NotConfirmed => "not_confirmed",
            Self::Rejected => "refused_by_database",
        }
    }
}

/// Where a message is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// In the log; with a reason, quarantined because its signature was used before.
    Logged(Option<QuarantineReason>),
    /// In the spool. Whether its signature was used before is found when it is drained.
    Spooled,
}

type Outcome = Result<Stored, AppendError>;

struct Pending {
    entry: PendingEntry,
    outcome: oneshot::Sender<Outcome>,
}

/// Where messages are handed in.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Pending>,
}

/// What writes them.
pub struct Writer {
    queue: mpsc::Receiver<Pending>,
    log: Log,
    spool: Option<Arc<Spool>>,
    prepared: watch::Receiver<bool>,
    appended: Arc<Notify>,
}

/// A queue for `capacity` messages, and the writer that empties it into the log, once that is `prepared`, or else into
/// the spool. `appended` is told of every commit.
pub fn open(
    capacity: usize,
    log: Log,
    spool: Option<Arc<Spool>>,
    prepared: watch::Receiver<bool>,
    appended: Arc<Notify>,
) -> (Appender, Writer) {
    let (sender, receiver) = mpsc::channel(capacity);
    (Appender { queue: sender }, Writer { queue: receiver, log, spool, prepared, appended })
}

impl Appender {
    /// Stores a message; returns when it is durable.
    ///
    /// # Errors
    /// [`AppendError`] when it is not known to be.
    pub async fn append(&self, entry: PendingEntry) -> Outcome {
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
        let mut busy = 0;
        loop {
            let gathered = stopped.run_until_cancelled(self.queue.recv_many(&mut batch, MAX_BATCH)).await;
            if gathered.is_none() {
                self.queue.close();
                self.queue.recv_many(&mut batch, MAX_BATCH).await;
            }
            if batch.is_empty() {
                return;
            }
            let gathering = self.gather(&mut batch, busy);
            let _ = timeout(GATHER, gathering).await;
            busy = batch.len();
            let (entries, waiting): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|pending| (pending.entry, pending.outcome)).unzip();
            let outcomes = self.store(entries).await;
            for (waiter, outcome) in waiting.into_iter().zip(outcomes) {
                // Whoever has stopped waiting does not mind.
                let _ = waiter.send(outcome);
            }
            self.appended.notify_one();
        }
    }

    /// Whoever was answered just now sends again in a moment: waits, for no longer than a moment, until as many are here
    /// as came last. An idle service has nobody to wait for; to a busy one, each commit costs by itself.
    async fn gather(&mut self, batch: &mut Vec<Pending>, busy: usize) {
        while batch.len() < busy && self.queue.recv_many(batch, MAX_BATCH - batch.len()).await > 0 {}
    }

    /// Stores a batch: in the log, or, as long as that cannot be or others wait there, in the spool.
    async fn store(&mut self, entries: Vec<PendingEntry>) -> Vec<Outcome> {
        let mut outcomes = vec![Err(AppendError::NotConfirmed); entries.len()];
        let mut tell = |place: usize, told: Outcome| outcomes.get_mut(place).map(|outcome| *outcome = told);
        let others_wait = self.spool.as_ref().is_some_and(|spool| !spool.is_empty());
        let unconfirmed = if others_wait || !*self.prepared.borrow() {
            entries.into_iter().enumerate().collect()
        } else {
            let settled = self.log.append(entries, APPEND_TIMEOUT).await;
            for (place, quarantined) in settled.logged {
                tell(place, Ok(Stored::Logged(quarantined)));
            }
            for (place, _) in settled.rejected {
                tell(place, Err(AppendError::Rejected));
            }
            settled.unconfirmed
        };
        if !unconfirmed.is_empty() && self.spool(&unconfirmed).await {
            for (place, _) in unconfirmed {
                tell(place, Ok(Stored::Spooled));
            }
        }
        outcomes
    }

    /// Whether these messages are durable in the spool.
    async fn spool(&self, unconfirmed: &[(usize, PendingEntry)]) -> bool {
        static FAILURES: OnceASecond = OnceASecond::new();
        let Some(spool) = &self.spool else { return false };
        let begins = spool.is_empty();
        let messages: Vec<_> = unconfirmed.iter().map(|(_, message)| message).collect();
        match spool.add(&messages).await {
            Ok(()) if begins => {
                tracing::warn!(
                    "cannot write to the database: callbacks go to the spool; check the database before the spool is \
                     full"
                );
                true
            }
            Ok(()) => true,
            Err(error) => {
                if FAILURES.is_due(clock::now()) {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        error,
                        "callbacks cannot be stored: they are answered 503, and are lost if the provider does not \
                         retry; check the database and the free space for the spool"
                    );
                }
                false
            }
        }
    }
}
