//! Measures whether the cost of an event stays constant while the log grows.

use sqlx::{Connection, PgConnection};

use crate::rows::{must_be_clean, number, wait_until_folded};
use crate::service::{Kind, Served};

/// Bytes on disk and number of events, and of sessions with their streams, including indexes.
const SIZES: &str = "
    select (select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = 'log_entry'::regclass)::bigint,
        (select sum(position) from shard_head)::bigint,
        (select sum(pg_total_relation_size(relation))
         from unnest(array ['unseen_session', 'live_session', 'ended_session', 'stream', 'session_outcome']::regclass[])
             as relation)::bigint,
        (select count(*) from stream_session)";

/// Streams that return in each million; about as many as are live at a time.
const RETURNING: &str = "300000";

/// Grows the log by a million events at a time, and prints a row for each million: of ever new streams, and then, on another
/// database, of streams that return.
///
/// # Errors
/// A measurement failed.
pub async fn measure(millions: u32) -> anyhow::Result<()> {
    for returns in [false, true] {
        println!("\n{}:\n", if returns { "300,000 streams that return" } else { "Ever new streams" });
        grow(millions, returns).await?;
    }
    Ok(())
}

async fn grow(millions: u32, returns: bool) -> anyhow::Result<()> {
    let served = Served::start(Kind::Service).await?;
    println!(
        "| entries, millions | received and folded | processor time, service + PostgreSQL | write-ahead log, bytes \
         | response p50, p99 | bytes an entry | sessions | bytes a session |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    for million in 1..=millions {
        let seed = million.to_string();
        let mut arguments = vec!["--connections", "64", "--messages", "1000000", "--duration", "10m", "--seed", &seed];
        if returns {
            arguments.extend(["--streams", RETURNING, "--run", "returning"]);
        } else {
            arguments.extend(["--streams", "1000000"]);
        }
        let before = served.usage().await?;
        let outcome = served.simulate(&arguments).await?;
        must_be_clean(&outcome)?;
        let seconds = number(&outcome, "elapsed_seconds")? + wait_until_folded(&served).await?.as_secs_f64();
        let after = served.usage().await?;
        let of_each = |after: f64, before: f64| (after - before) / 1_000_000.0;
        let mut connection = PgConnection::connect_with(&served.database()?).await?;
        let (log_bytes, entries, session_bytes, sessions): (i64, i64, i64, i64) =
            sqlx::query_as(SIZES).fetch_one(&mut connection).await?;
        let answer =
            |quantile: &str| outcome.pointer(&format!("/answer_ms/{quantile}")).and_then(serde_json::Value::as_f64);
        println!(
            "| {million} | {:.0}/s | {:.0} + {:.0} us | {:.0} | {:.1} ms, {:.1} ms | {} | {sessions} | {} |",
            1_000_000.0 / seconds,
            1e6 * of_each(after.service, before.service),
            1e6 * of_each(after.postgres, before.postgres),
            of_each(after.wal_bytes, before.wal_bytes),
            answer("p50").unwrap_or_default(),
            answer("p99").unwrap_or_default(),
            log_bytes / entries.max(1),
            session_bytes / sessions.max(1)
        );
    }
    Ok(())
}
