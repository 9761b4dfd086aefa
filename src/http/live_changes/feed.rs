//! One reader of the log for all listeners of this process. While nobody listens it rests.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::text::Stretch;
use crate::http::sealer::Sealer;
use crate::query::changes::{Positions, get_positions, is_forgotten, list_changes};

/// How often changes are looked for.
const POLL: Duration = Duration::from_millis(200);

/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How many stretches are kept for listeners who do not keep up. Who falls behind by more is cut off.
const KEPT: usize = 16;

/// Tells listeners what changes.
#[derive(Clone)]
pub struct Feed {
    pool: PgPool,
    sealer: Sealer,
    unconfirmed_after: TimeDelta,
    stretches: broadcast::Sender<Arc<Stretch>>,
    wanted: Arc<Notify>,
    stopped: CancellationToken,
}

impl Feed {
    /// A feed from this database, which ends when stopped.
    #[must_use]
    pub fn new(pool: PgPool, sealer: Sealer, unconfirmed_after: TimeDelta, stopped: CancellationToken) -> Self {
        let stretches = broadcast::Sender::new(KEPT);
        Self { pool, sealer, unconfirmed_after, stretches, wanted: Arc::default(), stopped }
    }

    /// Whatever changes from now on, or a little later: whoever needs more reads it.
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<Stretch>> {
        let listener = self.stretches.subscribe();
        self.wanted.notify_one();
        listener
    }

    /// Done when the service stops.
    pub(super) async fn stopped(&self) {
        self.stopped.cancelled().await;
    }

    /// How far the log is folded.
    pub(super) async fn positions(&self) -> Result<Positions, sqlx::Error> {
        get_positions(&self.pool).await
    }

    /// Whether something after `from` is no longer in the log.
    pub(super) async fn has_forgotten(&self, from: &Positions) -> Result<bool, sqlx::Error> {
        is_forgotten(&self.pool, from).await
    }

    /// What has changed after `from`, or the first of it.
    pub(super) async fn read(&self, from: &Positions) -> Result<Stretch, sqlx::Error> {
        let changes = list_changes(&self.pool, from).await?;
        Ok(Stretch::new(from.clone(), changes, &self.sealer, self.unconfirmed_after))
    }

    /// Reads and tells until stopped.
    pub async fn run(self) {
        while self.stopped.run_until_cancelled(self.wanted.notified()).await.is_some() {
            if let Some(Err(error)) = self.stopped.run_until_cancelled(self.tell()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "changes cannot be read; trying again: who listens to changes waits for the database"
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
        let mut seen = Arc::new(self.read(&begin).await?);
        let _ = self.stretches.send(Arc::clone(&seen));
        while self.stretches.receiver_count() > 0 {
            sleep(POLL).await;
            let next = Arc::new(self.read(&seen.to).await?);
            if next.to != seen.to {
                let _ = self.stretches.send(Arc::clone(&next));
            }
            seen = next;
        }
        Ok(())
    }
}
