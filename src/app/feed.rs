//! One reader of the log for all listeners of this process. While nobody listens it rests.

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

/// How often changes are looked for.
const POLL: Duration = Duration::from_millis(200);

/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How many stretches are kept for listeners who do not keep up. Who falls behind by more is cut off.
const KEPT: usize = 16;

/// How many sessions of a backlog a listener has in memory at a time: with the longest names and `user_args`, 256 KiB.
const BACKLOG_BIT: usize = 32;

/// Tells listeners what changes.
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
    /// A feed from this database, which ends when stopped.
    pub fn new(pool: PgPool, cipher: CursorCipher, unconfirmed_after: TimeDelta, stopped: CancellationToken) -> Self {
        let stretches = broadcast::Sender::new(KEPT);
        Self { pool, cipher, unconfirmed_after, stretches, wanted: Arc::default(), stopped }
    }

    /// Whatever changes from now on, or a little later: whoever needs more reads it.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Stretch>> {
        let listener = self.stretches.subscribe();
        self.wanted.notify_one();
        listener
    }

    /// Done when the service stops.
    pub(crate) async fn stopped(&self) {
        self.stopped.cancelled().await;
    }

    /// Whether the service stops.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    /// How far the log is folded.
    pub(crate) async fn positions(&self) -> Result<Positions, sqlx::Error> {
        get_positions(&self.pool).await
    }

    /// Whether something after `from` is no longer in the log.
    pub(crate) async fn has_forgotten(&self, from: &Positions) -> Result<bool, sqlx::Error> {
        is_forgotten(&self.pool, from).await
    }

    /// What one listener has missed after `from`, or the first of it: to be read bit by bit.
    pub(crate) async fn list_backlog(&self, from: &Positions) -> Result<Changed, sqlx::Error> {
        list_backlog(&self.pool, from).await
    }

    /// The next bit of a backlog that begins at `from`. It leads to the backlog's end if it is the last one, and else leaves
    /// its listener where they were: whoever resumes within a backlog is told all of it. `None` when this replica cannot
    /// tell it.
    pub(crate) async fn read(&self, from: &Positions, backlog: &mut Changed) -> Result<Option<Stretch>, sqlx::Error> {
        let bit: Vec<_> = backlog.sessions.drain(..backlog.sessions.len().min(BACKLOG_BIT)).collect();
        let changes = read_backlog(&self.pool, &backlog.to, &bit).await?;
        let to = if backlog.sessions.is_empty() { &backlog.to } else { from };
        Ok(changes.map(|changes| Stretch::new(from.clone(), to.clone(), changes, &self.cipher, self.unconfirmed_after)))
    }

    /// What has changed after `from`, or the first of it, for all listeners.
    async fn look(&self, from: &Positions) -> Result<Stretch, sqlx::Error> {
        let (to, changes) = list_changes(&self.pool, from).await?;
        Ok(Stretch::new(from.clone(), to, changes, &self.cipher, self.unconfirmed_after))
    }

    /// Reads and tells until stopped.
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

    /// Tells what changes for as long as anybody listens. Begins by telling where it begins: who has not seen what is
    /// before that reads it.
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
