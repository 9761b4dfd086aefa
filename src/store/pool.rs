//! Connection pools.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgExecutor};
use tokio::time::timeout;

/// Timeout of a ping.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// How long after its last use a connection is taken from the pool without a ping.
const REST: Duration = Duration::from_secs(1);

/// The purpose of a pool. Pools are separate so that one kind of work cannot starve another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolRole {
    /// Appending received callbacks.
    Append,
    /// Appending callbacks from the spool.
    Drain,
    /// Folding.
    Fold,
    /// The registry, and other internal work of the service.
    Work,
    /// Answering queries.
    Query,
    /// Reading what reports count; limited so that queries are answered meanwhile.
    Report,
    /// Sending webhooks: one connection holds the locks.
    Send,
    /// Comparing sessions with the provider's lists.
    Poll,
}

impl PoolRole {
    fn connections(self) -> u32 {
        match self {
            // Each has one writer, which holds its own connection.
            Self::Append | Self::Drain => 1,
            Self::Poll => 2,
            Self::Fold | Self::Send => 4,
            Self::Work => 6,
            Self::Query => 12,
            Self::Report => 3,
        }
    }

    /// Timeout for acquiring a connection.
    fn patience(self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Report | Self::Poll) { 15 } else { 3 })
    }

    /// Whether its statements take whole columns as parameters: these take longer to plan than to run, and find rows by
    /// key.
    fn is_bulk(self) -> bool {
        matches!(self, Self::Append | Self::Drain | Self::Fold)
    }

    fn plans(self, distributed: bool) -> &'static str {
        // The plan must know the shard to choose its node.
        if distributed {
            return "force_custom_plan";
        }
        match self {
            Self::Append | Self::Drain | Self::Fold => "force_generic_plan",
            // A plan for a frequent value is bad for a rare one.
            Self::Query | Self::Report => "force_custom_plan",
            Self::Work | Self::Send | Self::Poll => "auto",
        }
    }

    fn statement_timeout(self) -> &'static str {
        match self {
            Self::Append => "2s",
            Self::Drain => "9s",
            Self::Fold | Self::Work | Self::Report | Self::Poll => "60s",
            Self::Query => "10s",
            Self::Send => "5s",
        }
    }

    /// After which pause within a transaction the server ends the connection.
    fn idle_timeout(self) -> &'static str {
        match self {
            // Between two stretches of rows it computes, at low priority: on a busy machine that takes long. It locks nothing.
            Self::Report => "30s",
            Self::Append | Self::Drain | Self::Fold | Self::Work | Self::Query | Self::Send | Self::Poll => "5s",
        }
    }
}

/// The options of a pool's connections. `distributed` says whether shards are distributed over a cluster, which
/// appending and folding must know for their plans.
pub fn options(options: &PgConnectOptions, purpose: PoolRole, distributed: bool) -> PgConnectOptions {
    let options = options.clone().application_name("streamtally").options([
        ("statement_timeout", purpose.statement_timeout()),
        ("idle_in_transaction_session_timeout", purpose.idle_timeout()),
        ("timezone", "UTC"),
        ("plan_cache_mode", purpose.plans(distributed)),
        // Avoids keeping a plan for a month with few events when the month has many.
        ("enable_seqscan", if purpose.is_bulk() { "off" } else { "on" }),
        // As for SSDs.
        ("random_page_cost", "1.1"),
    ]);
    match purpose {
        // Folding that a crash loses is repeated from the log, whose own commits are synchronous.
        PoolRole::Fold => options.options([("synchronous_commit", "off")]),
        // Closing a connection cancels the statement of a caller that left. The server notices that only if it checks.
        PoolRole::Query | PoolRole::Report => options.options([("client_connection_check_interval", "1s")]),
        PoolRole::Append | PoolRole::Drain | PoolRole::Work | PoolRole::Send | PoolRole::Poll => options,
    }
}

/// Opens a pool that connects lazily, with [`options`].
///
/// A connection whose peer vanished silently is detected by a ping and closed: when a caller returns it, and when it is
/// taken after it was idle.
pub fn open(database: &PgConnectOptions, purpose: PoolRole, distributed: bool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(purpose.connections())
        .acquire_timeout(purpose.patience())
        .test_before_acquire(false)
        .before_acquire(|connection, use_until_now| {
            let rested = use_until_now.idle_for > REST;
            Box::pin(async move { Ok(!rested || is_alive(connection).await) })
        })
        .after_release(|connection, _| Box::pin(async move { Ok(is_alive(connection).await) }))
        .connect_lazy_with(options(database, purpose, distributed))
}

async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(SIGN_OF_LIFE, connection.ping()).await, Ok(Ok(())))
}

/// Disables the statement timeout of this connection.
pub async fn set_no_time_limit(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("set statement_timeout = 0").execute(executor).await?;
    Ok(())
}
