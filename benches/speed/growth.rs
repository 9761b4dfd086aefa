//! Measures whether the cost of an event stays constant while the log grows.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use crate::rows::{must_be_clean, wait_until_folded};
use crate::service::{KEY, Kind, Served};

/// Bytes on disk and number of events, and of sessions with their streams, including indexes.
const SIZES: &str = "
    select (select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = 'log_entry'::regclass)::bigint,
        (select sum(position) from shard_head)::bigint,
        (select sum(pg_total_relation_size(relation))
         from unnest(array ['unseen_session', 'live_session', 'ended_session', 'stream', 'session_outcome']::regclass[])
             as relation)::bigint,
        (select count(*) from stream_session), (select count(*) from live_session)";

/// Streams of the load. With ever new streams, 130,000 to 290,000 sessions were live at a time.
const STREAMS: &str = "300000";

/// How often the number of folded events is read.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Which streams the load has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Streams {
    /// Nearly each push has a new one.
    New,
    /// 300,000, whose pushes return.
    Returning,
}

/// Grows the log, and prints a row for each million folded events. The load is one run: simulated time continues from one
/// million to the next. `shared_buffers` of the server; `None`: as the service sets them.
///
/// # Errors
/// A measurement failed, or `rebuild --verify` finds a difference in the end.
pub async fn measure(millions: u32, streams: Streams, shared_buffers: Option<&str>) -> anyhow::Result<()> {
    let served = match shared_buffers {
        Some(size) => Served::start_with_shared_buffers(size).await?,
        None => Served::start(Kind::Service).await?,
    };
    let messages = format!("{millions}000000");
    let mut load =
        vec!["--connections", "64", "--messages", &messages, "--duration", "10h", "--streams", STREAMS, "--seed", "1"];
    load.extend((streams == Streams::New).then_some("--new-streams"));
    let (outcome, rows) = tokio::join!(served.simulate(&load), print_rows(&served, millions));
    rows?;
    must_be_clean(&outcome?)?;
    wait_until_folded(&served).await?;
    println!("\n{}", served.run(&["rebuild", "--verify"], KEY).await?.trim_end());
    Ok(())
}

async fn print_rows(served: &Served, millions: u32) -> anyhow::Result<()> {
    println!(
        "| entries, millions | received and folded | processor time, service + PostgreSQL | write-ahead log, bytes \
         | bytes an entry | sessions | of these live | bytes a session |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    let mut connection = PgConnection::connect_with(&served.database()?).await?;
    let mut begun = Instant::now();
    let mut before = served.usage().await?;
    for million in 1..=i64::from(millions) {
        while count_folded(&mut connection).await? < million * 1_000_000 {
            sleep(POLL_INTERVAL).await;
        }
        let now = Instant::now();
        let after = served.usage().await?;
        let of_each = |after: f64, before: f64| (after - before) / 1_000_000.0;
        let (log_bytes, entries, session_bytes, sessions, live): (i64, i64, i64, i64, i64) =
            sqlx::query_as(SIZES).fetch_one(&mut connection).await?;
        println!(
            "| {million} | {:.0}/s | {:.0} + {:.0} us | {:.0} | {} | {sessions} | {live} | {} |",
            1_000_000.0 / (now - begun).as_secs_f64(),
            1e6 * of_each(after.service, before.service),
            1e6 * of_each(after.postgres, before.postgres),
            of_each(after.wal_bytes, before.wal_bytes),
            log_bytes / entries.max(1),
            session_bytes / sessions.max(1)
        );
        begun = now;
        before = after;
    }
    Ok(())
}

async fn count_folded(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select coalesce(sum(position), 0)::bigint from fold_progress").fetch_one(connection).await
}
