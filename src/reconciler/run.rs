//! What drives folding in life: appends of this process at once, those of others by NOTIFY, and a poll should a
//! notification get lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Folds until stopped. `appended` is told of appends in this process; `healthy` tells whether folding goes on.
pub async fn fold_until_stopped(
    pool: PgPool,
    appended: Arc<Notify>,
    healthy: Arc<AtomicBool>,
    stopped: CancellationToken,
) {
    tokio::join!(listen_until_stopped(&pool, APPENDED, &appended, &stopped), async {
        // A step that is given up has changed nothing.
        while let Some(folded) = stopped.run_until_cancelled(fold_to_end(&pool)).await {
            let was_healthy = healthy.swap(folded.is_ok(), Ordering::Relaxed);
            match folded {
                // Looks again after a while even if nobody calls.
                Ok(0) => {
                    let _ = stopped.run_until_cancelled(timeout(POLL, appended.notified())).await;
                }
                Ok(_) => {
                    stopped.run_until_cancelled(sleep(GATHER)).await;
                }
                Err(error) => {
                    if was_healthy {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "sessions cannot be folded; the log keeps what is received");
                    }
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
