//! Runs a worker for each enabled webhook. Several processes share the work: a webhook is sent by the process that holds its
//! lock, which the database releases when the process dies.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use sqlx::{Connection, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::feed::Feed;
use super::open::OpenWebhook;
use super::transport::Transport;
use super::upkeep::{UpkeepPolicy, keep_up};
use super::worker::Worker;
use crate::model::webhook::WebhookState;
use crate::platform::clock;
use crate::registry::master_keys::MasterKeys;
use crate::store;
use crate::store::webhook::{HealthRow, WebhookRow};

/// How often the webhooks are read.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a webhook that has failed for a cause of our own is left alone.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How often it is checked whether events were folded.
const POLL: Duration = Duration::from_millis(200);

/// Timeout of a check that the connection that holds the locks is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);

/// How often notices are written, and what is no longer needed is deleted.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Sends the webhooks of an installation.
pub struct Sender {
    pub pool: PgPool,
    pub feed: Feed,
    pub transport: Transport,
    pub master_keys: MasterKeys,
    pub upkeep: UpkeepPolicy,
}

/// A worker of this process.
struct Running {
    version: i32,
    stop: CancellationToken,
    task: JoinHandle<Result<(), sqlx::Error>>,
}

impl Sender {
    /// Sends until stopped.
    pub async fn run(self, stopped: CancellationToken) {
        let (folded_sender, folded) = watch::channel(Vec::new());
        let polling = self.poll(folded_sender, &stopped);
        let supervising = async {
            let mut was_failing = false;
            while !stopped.is_cancelled() {
                let ended = self.send_while_connected(&folded, &stopped).await;
                if let (Err(error), false) = (&ended, was_failing) {
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(error, "webhooks cannot be sent; retrying: check the database");
                }
                was_failing = ended.is_err();
                stopped.run_until_cancelled(sleep(INTERVAL)).await;
            }
        };
        let keeping_up = async {
            let mut was_failing = false;
            loop {
                let kept_up = keep_up(&self.pool, &self.upkeep, clock::now()).await;
                if let (Err(error), false) = (&kept_up, was_failing) {
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(error, "notices cannot be written; retrying: check the database");
                }
                was_failing = kept_up.is_err();
                if stopped.run_until_cancelled(sleep(UPKEEP_INTERVAL)).await.is_none() {
                    break;
                }
            }
        };
        tokio::join!(polling, supervising, keeping_up);
    }

    /// Tells the workers when events were folded.
    async fn poll(&self, folded: watch::Sender<Vec<i64>>, stopped: &CancellationToken) {
        while stopped.run_until_cancelled(sleep(POLL)).await.is_some() {
            // Without a webhook of this process, nobody waits.
            if folded.receiver_count() <= 1 {
                continue;
            }
            if let Ok(positions) = store::change::list_folded_positions(&self.feed.pool).await {
                folded.send_if_modified(|known| {
                    let is_new = *known != positions;
                    *known = positions;
                    is_new
                });
            }
        }
    }

    /// Runs workers while one connection lives, which holds their locks.
    async fn send_while_connected(
        &self,
        folded: &watch::Receiver<Vec<i64>>,
        stopped: &CancellationToken,
    ) -> Result<(), sqlx::Error> {
        let mut locks = self.pool.acquire().await?;
        let mut running = HashMap::new();
        let mut failed = HashMap::new();
        let ended = loop {
            if let Err(error) = self.adjust(&mut locks, &mut running, &mut failed, folded).await {
                break Err(error);
            }
            if stopped.run_until_cancelled(sleep(INTERVAL)).await.is_none() {
                break Ok(());
            }
        };
        for worker in running.values() {
            worker.stop.cancel();
        }
        for (webhook_id, worker) in running {
            let _ = note_end(webhook_id, &worker.task.await);
        }
        // Closing the connection releases the locks, also where it is broken.
        let _ = locks.close().await;
        ended
    }

    /// Starts and stops workers as the webhooks' settings say.
    async fn adjust(
        &self,
        locks: &mut PoolConnection<Postgres>,
        running: &mut HashMap<Uuid, Running>,
        failed: &mut HashMap<Uuid, Instant>,
        folded: &watch::Receiver<Vec<i64>>,
    ) -> Result<(), sqlx::Error> {
        let ping = timeout(SIGN_OF_LIFE, locks.ping());
        ping.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        let mut wanted = store::webhook::list_webhooks(&mut **locks).await?;
        wanted.retain(|row| row.state == WebhookState::Enabled);
        let is_wanted = |webhook_id: &Uuid, worker: &Running| {
            let row = wanted.iter().find(|row| row.webhook_id == *webhook_id);
            row.is_some_and(|row| row.version == worker.version) && !worker.task.is_finished()
        };
        for (webhook_id, worker) in running.extract_if(|webhook_id, worker| !is_wanted(webhook_id, worker)) {
            worker.stop.cancel();
            if note_end(webhook_id, &worker.task.await) {
                failed.insert(webhook_id, Instant::now());
            }
            store::webhook::unlock_webhook(&mut **locks, webhook_id).await?;
        }
        failed.retain(|_, failed_at| failed_at.elapsed() < PAUSE_AFTER_FAILURE);
        for row in wanted {
            let webhook_id = row.webhook_id;
            let is_taken = running.contains_key(&webhook_id) || failed.contains_key(&webhook_id);
            if is_taken || !store::webhook::try_lock_webhook(&mut **locks, webhook_id).await? {
                continue;
            }
            let version = row.version;
            let Some(worker) = self.load(row).await else {
                failed.insert(webhook_id, Instant::now());
                store::webhook::unlock_webhook(&mut **locks, webhook_id).await?;
                continue;
            };
            let stop = CancellationToken::new();
            let task = tokio::spawn(worker.run(folded.clone(), stop.clone()));
            running.insert(webhook_id, Running { version, stop, task });
        }
        Ok(())
    }

    /// A worker for a webhook. `None` if it cannot be loaded, which stops no other webhook.
    async fn load(&self, row: WebhookRow) -> Option<Worker> {
        let webhook_id = row.webhook_id;
        match self.try_load(row).await {
            Ok(worker) => Some(worker),
            Err(error) => {
                let error: &dyn std::error::Error = error.as_ref();
                tracing::error!(%webhook_id, error, "a webhook cannot be sent; retrying: check its settings");
                None
            }
        }
    }

    async fn try_load(&self, row: WebhookRow) -> anyhow::Result<Worker> {
        let health = HealthRow {
            failing_since: row.failing_since,
            failed_attempts: row.failed_attempts,
            last_success_at: row.last_success_at,
            last_error: row.last_error.clone(),
        };
        let installation = store::installation::get_installation(&self.pool).await?.ok_or(sqlx::Error::RowNotFound)?;
        let webhook = OpenWebhook::open(row, &self.master_keys, &installation, &self.transport)?;
        Ok(Worker::load(webhook, health, self.feed.clone(), self.transport.clone(), self.pool.clone()).await?)
    }
}

/// Reports how a worker ended. Returns whether it failed.
fn note_end(webhook_id: Uuid, ended: &Result<Result<(), sqlx::Error>, tokio::task::JoinError>) -> bool {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(%webhook_id, error, "a webhook is interrupted; retrying: check the database");
        }
        Err(error) => {
            let error = error as &dyn std::error::Error;
            tracing::error!(%webhook_id, error, "a webhook stopped by a defect; retrying: please report it");
        }
    }
    !matches!(ended, Ok(Ok(())))
}
