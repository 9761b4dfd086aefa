//! Connections.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgExecutor};
use tokio::time::timeout;

/// How long a connection may take for a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// How long a connection is trusted after it was used.
const REST: Duration = Duration::from_secs(1);

/// What a pool is for; they are apart so that one kind of work cannot starve another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolRole {
    /// Appending what was just received.
    Append,
    /// Appending what waited in the spool.
    Drain,
    /// Folding.
    Fold,
    /// The registry, and other work of the service itself.
    Work,
    /// Answering queries.
    Query,
    /// Reading what reports count: so few at a time that queries are answered beside them.
    Report,
}

impl PoolRole {
    fn connections(self) -> u32 {
        match self {
            // There is one writer of each, and it holds its own.
            Self::Append | Self::Drain => 1,
            Self::Fold => 4,
            Self::Work => 6,
            Self::Query => 12,
            Self::Report => 3,
        }
    }

    /// How long a connection is waited for.
    fn patience(self) -> Duration {
        Duration::from_secs(if self == Self::Report { 15 } else { 3 })
    }

    /// Whether its statements have a column a parameter, which take longer to plan than to run, and find rows by keys.
    fn is_bulk(self) -> bool {
        matches!(self, Self::Append | Self::Drain | Self::Fold)
    }

    fn plans(self, distributed: bool) -> &'static str {
        // Which node a statement is for is told by its shard, which a plan must know.
        if distributed {
            return "force_custom_plan";
        }
        match self {
            Self::Append | Self::Drain | Self::Fold => "force_generic_plan",
            // What is right for a value that is everywhere is wrong for one that is rare.
            Self::Query | Self::Report => "force_custom_plan",
            Self::Work => "auto",
        }
    }

    fn statement_timeout(self) -> &'static str {
        match self {
            Self::Append => "2s",
            Self::Drain => "9s",
            Self::Fold | Self::Work | Self::Report => "60s",
            Self::Query => "10s",
        }
    }
}

/// How connections of this use are made. `distributed` says whether shards are spread over a cluster, of which those that
/// append and fold must know.
pub fn options(options: &PgConnectOptions, purpose: PoolRole, distributed: bool) -> PgConnectOptions {
    let options = options.clone().application_name("streamtally").options([
        ("statement_timeout", purpose.statement_timeout()),
        ("idle_in_transaction_session_timeout", "5s"),
        ("timezone", "UTC"),
        ("plan_cache_mode", purpose.plans(distributed)),
        // A plan that was made while a month had few entries is kept when it has many.
        ("enable_seqscan", if purpose.is_bulk() { "off" } else { "on" }),
        // As disks without moving parts are.
        ("random_page_cost", "1.1"),
    ]);
    match purpose {
        // What a crash takes of folding is folded again from the log, whose own commits do wait.
        PoolRole::Fold => options.options([("synchronous_commit", "off")]),
        // A statement whose caller has left is given up by closing its connection. The server notices that only if it looks.
        PoolRole::Query | PoolRole::Report => options.options([("client_connection_check_interval", "1s")]),
        PoolRole::Append | PoolRole::Drain | PoolRole::Work => options,
    }
}

/// A pool that connects when it is first needed, made as [`options`] says.
///
/// A connection whose peer has vanished without a word is found out and closed: when it is handed back by someone who
/// gave up on it, and when it is taken after a rest.
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

/// Whether the database answers on this connection.
async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(SIGN_OF_LIFE, connection.ping()).await, Ok(Ok(())))
}

/// Lets statements of this connection take as long as they need.
pub async fn set_no_time_limit(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("set statement_timeout = 0").execute(executor).await?;
    Ok(())
}
