//! What drives folding in life: appends of this process at once, those of others by NOTIFY, and a poll should a
//! notification get lost.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fold_to_end;
use crate::store;
use crate::store::channel::{APPENDED, listen_until_stopped};

/// Entries gather for this long while folding goes on, so that a busy service folds them by the batch.
const GATHER: Duration = Duration::from_millis(20);

/// How often the log is looked at when nobody says that it has grown.
const POLL: Duration = Duration::from_secs(1);

/// How often other processes are told, at most: NOTIFY serialises commits.
const TELL: Duration = Duration::from_millis(50);

/// Folds until stopped. `appended` is told of appends in this process.
pub async fn fold_until_stopped(pool: PgPool, appended: Arc<Notify>, stopped: CancellationToken) {
    let listening = listen_until_stopped(&pool, APPENDED, &appended, &stopped);
    tokio::join!(listening, async {
        let mut failing = false;
        while !stopped.is_cancelled() {
            match fold_to_end(&pool).await {
                Ok(0) => {
                    failing = false;
                    // Looks again after a while even if nobody calls.
                    let _ = stopped.run_until_cancelled(timeout(POLL, appended.notified())).await;
                }
                Ok(_) => {
                    failing = false;
                    stopped.run_until_cancelled(sleep(GATHER)).await;
                }
                Err(error) => {
                    report(&error, &mut failing, "sessions cannot be folded; the log keeps what is received");
                    stopped.run_until_cancelled(sleep(POLL)).await;
                }
            }
        }
    });
}

/// Tells other processes of this one's appends, for a process that does not fold by itself.
pub async fn tell_until_stopped(pool: PgPool, appended: Arc<Notify>, stopped: CancellationToken) {
    while stopped.run_until_cancelled(appended.notified()).await.is_some() {
        if let Err(error) = store::channel::notify(&pool, APPENDED).await {
            // They look every second anyway.
            tracing::debug!(error = &error as &dyn std::error::Error, "other processes could not be told");
        }
        stopped.run_until_cancelled(sleep(TELL)).await;
    }
}

fn report(error: &sqlx::Error, failing: &mut bool, what: &str) {
    if !*failing {
        tracing::warn!(error = error as &dyn std::error::Error, "{what}");
    }
    *failing = true;
}
