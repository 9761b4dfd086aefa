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

/// Grows the log by a million events at a time, and prints a row for each million.
///
/// # Errors
/// A measurement failed.
pub async fn measure(millions: u32) -> anyhow::Result<()> {
    let served = Served::start(Kind::Service).await?;
    println!(
        "| entries, millions | received and folded | response p50, p99 | bytes an entry | sessions | bytes a session |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for million in 1..=millions {
        let arguments = ["--connections", "64", "--messages", "1000000", "--duration", "10m", "--streams", "1000000"];
        let outcome = served.simulate(&arguments).await?;
        must_be_clean(&outcome)?;
        let seconds = number(&outcome, "elapsed_seconds")? + wait_until_folded(&served).await?.as_secs_f64();
        let mut connection = PgConnection::connect_with(&served.database()?).await?;
        let (log_bytes, entries, session_bytes, sessions): (i64, i64, i64, i64) =
            sqlx::query_as(SIZES).fetch_one(&mut connection).await?;
        let answer =
            |quantile: &str| outcome.pointer(&format!("/answer_ms/{quantile}")).and_then(serde_json::Value::as_f64);
        println!(
            "| {million} | {:.0}/s | {:.1} ms, {:.1} ms | {} | {sessions} | {} |",
            1_000_000.0 / seconds,
            answer("p50").unwrap_or_default(),
            answer("p99").unwrap_or_default(),
            log_bytes / entries.max(1),
            session_bytes / sessions.max(1)
        );
    }
    Ok(())
}
