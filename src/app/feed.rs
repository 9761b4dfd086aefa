//! One reader of the log for all listeners of this process. Idle without listeners.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::api::cursor_cipher::CursorCipher;
use crate::api::event_stream::Stretch;
use crate::query::changes::{
    Changed, Positions, get_positions, is_forgotten, list_backlog, list_changes, read_backlog,
};

const POLL: Duration = Duration::from_millis(200);

/// Pause after an error of the database.
const PAUSE: Duration = Duration::from_secs(1);

/// Number of buffered stretches for slow listeners. A listener that falls further behind is disconnected.
const KEPT: usize = 16;

/// Maximum number of backlog sessions that a listener has in memory: 256 KiB with the longest names and `user_args`.
const BACKLOG_BIT: usize = 32;

/// Broadcasts changes to listeners.
#[derive(Clone)]
pub struct Feed {
    pool: PgPool,
    cipher: CursorCipher,
    unconfirmed_after: TimeDelta,
    stretches: broadcast::Sender<Arc<Stretch>>,
    wanted: Arc<Notify>,
    stopped: CancellationToken,
}

impl Feed {
    /// A feed that reads from `pool` until stopped.
    pub fn new(pool: PgPool, cipher: CursorCipher, unconfirmed_after: TimeDelta, stopped: CancellationToken) -> Self {
        let stretches = broadcast::Sender::new(KEPT);
        Self { pool, cipher, unconfirmed_after, stretches, wanted: Arc::default(), stopped }
    }

    /// Subscribes to changes from about now on. A listener that needs earlier ones reads the backlog.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Stretch>> {
        let listener = self.stretches.subscribe();
        self.wanted.notify_one();
        listener
    }

    /// Waits until the service stops.
    pub(crate) async fn stopped(&self) {
        self.stopped.cancelled().await;
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    /// The positions up to which the log is folded.
    pub(crate) async fn positions(&self) -> Result<Positions, sqlx::Error> {
        get_positions(&self.pool).await
    }

    /// Whether an event after `from` has been dropped.
    pub(crate) async fn has_forgotten(&self, from: &Positions) -> Result<bool, sqlx::Error> {
        is_forgotten(&self.pool, from).await
    }

    /// The first changes that a listener has missed since `from`, to be read in chunks.
    pub(crate) async fn list_backlog(&self, from: &Positions) -> Result<Changed, sqlx::Error> {
        list_backlog(&self.pool, from).await
    }

    /// The next chunk of a backlog that starts at `from`. Only the last chunk advances the listener's position, so a
    /// listener that resumes within a backlog gets all of it again. `None` if this replica cannot provide the chunk.
    pub(crate) async fn read(&self, from: &Positions, backlog: &mut Changed) -> Result<Option<Stretch>, sqlx::Error> {
        let bit: Vec<_> = backlog.sessions.drain(..backlog.sessions.len().min(BACKLOG_BIT)).collect();
        let changes = read_backlog(&self.pool, &backlog.to, &bit).await?;
        let to = if backlog.sessions.is_empty() { &backlog.to } else { from };
        Ok(changes.map(|changes| Stretch::new(from.clone(), to.clone(), changes, &self.cipher, self.unconfirmed_after)))
    }

    /// The first changes since `from`, for all listeners.
    async fn look(&self, from: &Positions) -> Result<Stretch, sqlx::Error> {
        let (to, changes) = list_changes(&self.pool, from).await?;
        Ok(Stretch::new(from.clone(), to, changes, &self.cipher, self.unconfirmed_after))
    }

    /// Reads and broadcasts changes until stopped.
    pub async fn run(self) {
        while self.stopped.run_until_cancelled(self.wanted.notified()).await.is_some() {
            if let Some(Err(error)) = self.stopped.run_until_cancelled(self.tell()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not read changes; retrying: listeners wait for the database"
                );
                self.wanted.notify_one();
                self.stopped.run_until_cancelled(sleep(PAUSE)).await;
            }
        }
    }

    /// Broadcasts changes while there are listeners. The first stretch shows where the feed starts: listeners that have
    /// not seen earlier changes read the backlog.
    async fn tell(&self) -> Result<(), sqlx::Error> {
        let begin = self.positions().await?;
        let mut seen = Arc::new(self.look(&begin).await?);
        let _ = self.stretches.send(Arc::clone(&seen));
        while self.stretches.receiver_count() > 0 {
            sleep(POLL).await;
            let next = Arc::new(self.look(&seen.to).await?);
            if next.to != seen.to {
                let _ = self.stretches.send(Arc::clone(&next));
            }
            seen = next;
        }
        Ok(())
    }
}
