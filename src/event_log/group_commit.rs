//! Group commit.
//!
//! Each caller puts its event on a bounded queue and waits. One writer takes everything that has gathered, appends it
//! in one statement and one commit, then wakes all callers. An idle service commits at once; a busy one forms batches,
//! for which it briefly waits for the callers that it has just answered. The queue never grows: when it is full, an
//! append fails.
//!
//! Events that the database does not confirm go to the spool, and so do all later ones until the spool is drained.

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

/// How long a busy service waits for more events for the same commit.
const GATHER: Duration = Duration::from_micros(500);

/// How long the database may take to commit, including a second try. The provider times out little later.
const APPEND_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Why a callback is not known to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue is at its capacity.
    #[error("the queue of received callbacks is full")]
    QueueFull,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The database did not confirm it, and the spool cannot take it. It may be in the log nevertheless; a repeat does
    /// no harm.
    #[error("neither the database nor the spool confirms that the callback is stored")]
    NotConfirmed,
    /// The database rejects a value in it.
    #[error("the database rejects a value in the callback")]
    Rejected,
}

impl AppendError {
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::Stopping, Self::NotConfirmed, Self::Rejected];

    /// The label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Stopping => "stopping",
            Self::NotConfirmed => "not_confirmed",
            Self::Rejected => "rejected_by_database",
        }
    }
}

/// Where a callback is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// In the log; with a reason, quarantined by the check against the log.
    Logged(Option<QuarantineReason>),
    /// In the spool. Draining checks it against the log.
    Spooled,
}

type Outcome = Result<Stored, AppendError>;

struct Pending {
    entry: PendingEntry,
    outcome: oneshot::Sender<Outcome>,
}

/// The sending side of the queue.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Pending>,
}

/// Empties the queue.
pub struct Writer {
    queue: mpsc::Receiver<Pending>,
    log: Log,
    spool: Option<Arc<Spool>>,
    prepared: watch::Receiver<bool>,
    appended: Arc<Notify>,
}

/// Opens a queue with the given `capacity`, and the writer that empties it: into the log once it is `prepared`, else
/// into the spool. Each batch notifies `appended`.
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
    /// Stores a callback; returns when it is durable.
    ///
    /// # Errors
    /// [`AppendError`] when it is not known to be durable.
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
    /// Writes until stopped, then writes the rest of the queue.
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
                // Ignore send errors: the caller stopped waiting.
                let _ = waiter.send(outcome);
            }
            self.appended.notify_one();
        }
    }

    /// Callers that were just answered send again soon: waits until as many events have arrived as the last batch had.
    /// The caller sets the timeout. An idle service does not wait; a busy one saves commits, which have a fixed
    /// cost.
    async fn gather(&mut self, batch: &mut Vec<Pending>, busy: usize) {
        while batch.len() < busy && self.queue.recv_many(batch, MAX_BATCH - batch.len()).await > 0 {}
    }

    /// Stores a batch: in the log, or in the spool while the database does not confirm or the spool is not empty.
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

    /// Whether these callbacks are now durable in the spool.
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
