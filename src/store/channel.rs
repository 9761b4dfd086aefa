//! Notifications between processes through the database. Listeners also poll: a notification may get lost.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{PgExecutor, PgPool};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Events were appended to the log.
pub const APPENDED: &str = "streamtally_appended";

/// The registry has changed.
pub const REGISTRY: &str = "streamtally_registry";

/// How long to wait before listening again after the connection broke.
const PAUSE: Duration = Duration::from_secs(1);

/// Notifies every listening process; within a transaction, when it commits.
pub async fn notify(executor: impl PgExecutor<'_>, channel: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_notify($1, '')", channel).execute(executor).await?;
    Ok(())
}

/// Forwards notifications of other processes to `told`, until stopped.
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
        // Notifications may have been missed before listening began.
        told.notify_one();
        listener.recv().await?;
    }
}
