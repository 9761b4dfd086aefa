//! What processes tell each other through the database. Whoever listens also looks by itself now and then: a
//! notification may get lost.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{PgExecutor, PgPool};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The log has grown.
pub const APPENDED: &str = "streamtally_appended";

/// The registry has changed.
pub const REGISTRY: &str = "streamtally_registry";

/// How long to wait before listening again after the connection broke.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells every process that listens; within a transaction, when it commits.
pub async fn notify(executor: impl PgExecutor<'_>, channel: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_notify($1, '')", channel).execute(executor).await?;
    Ok(())
}

/// Passes on what other processes tell, until stopped.
pub async fn listen_until_stopped(pool: &PgPool, channel: &str, told: &Notify, stopped: &CancellationToken) {
    while let Some(Err(error)) = stopped.run_until_cancelled(listen(pool, channel, told)).await {
        tracing::debug!(error = &error as &dyn std::error::Error, channel, "other processes are not heard");
        stopped.run_until_cancelled(sleep(PAUSE)).await;
    }
}

async fn listen(pool: &PgPool, channel: &str, told: &Notify) -> Result<Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    loop {
        // Something may have been told while nobody listened.
        told.notify_one();
        listener.recv().await?;
    }
}
