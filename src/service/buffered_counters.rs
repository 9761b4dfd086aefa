//! Counters that are buffered in memory and written to the database every second: no session or bill depends on them.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::access::last_use::LastUses;
use crate::platform::clock;
use crate::rejection::Rejections;

/// The interval of writes.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Timeout of a write, so that the last one does not delay the service's stop for long.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone, Default)]
pub(super) struct BufferedCounters {
    pub rejections: Arc<Rejections>,
    pub last_uses: Arc<LastUses>,
}

impl BufferedCounters {
    pub async fn write_until_stopped(self, pool: PgPool, stopped: CancellationToken) {
        let mut failing = false;
        loop {
            let stopping = stopped.run_until_cancelled(sleep(WRITE_INTERVAL)).await.is_none();
            let written = timeout(WRITE_TIMEOUT, self.write(&pool)).await;
            let written = written.unwrap_or(Err(sqlx::Error::PoolTimedOut));
            if let (Err(error), false) = (&written, failing) {
                let error = error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "could not write the counts of rejected callbacks and the uses of tokens and \
                     keys; the counts stay in memory until the database accepts them"
                );
            }
            failing = written.is_err();
            if stopping {
                return;
            }
        }
    }

    async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        self.last_uses.write(pool).await?;
        self.rejections.write(pool, clock::now()).await
    }
}
