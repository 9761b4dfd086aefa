//! The rows of the table, and the goals.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use streamtally::store;

use crate::service::{KEY, Kind, Served};
use crate::{polling, webhooks};

/// Connections of the closed loops, and the goals: multiples of the handwritten handler.
const LOOPS: [(&str, u32); 3] = [("64", 6), ("512", 9), ("8", 2)];

/// Measures the rows whose name contains `only`, and prints a table.
///
/// # Errors
/// A measurement failed.
pub async fn measure(seconds: u64, only: &str) -> anyhow::Result<()> {
    println!("| what | handwritten | streamtally | goal |");
    println!("|---|---:|---:|---|");
    if "closed loop".contains(only) {
        closed_loops(seconds).await?;
    }
    if "open loop".contains(only) {
        open_loop().await?;
    }
    if "storm".contains(only) {
        storm().await?;
    }
    if "flood".contains(only) {
        flood().await?;
    }
    if "webhooks".contains(only) {
        webhooks::measure().await?;
    }
    if "polling".contains(only) {
        polling::measure().await?;
    }
    if "start".contains(only) {
        starts().await?;
    }
    Ok(())
}

async fn closed_loops(seconds: u64) -> anyhow::Result<()> {
    let duration = format!("{seconds}s");
    for (connections, times) in LOOPS {
        let arguments = ["--connections", connections, "--duration", &duration];
        let by_hand = {
            let served = Served::start(Kind::Baseline).await?;
            let outcome = served.simulate(&arguments).await?;
            must_be_clean(&outcome)?;
            number(&outcome, "acknowledged_per_second")?
        };
        let served = Served::start(Kind::Service).await?;
        let before = served.usage().await?;
        let outcome = served.simulate(&arguments).await?;
        must_be_clean(&outcome)?;
        let folding = wait_until_folded(&served).await?;
        let after = served.usage().await?;
        let callbacks = number(&outcome, "acknowledged")?;
        let folded = callbacks / (number(&outcome, "elapsed_seconds")? + folding.as_secs_f64());
        println!(
            "| received and folded, {connections} connections | {by_hand:.0}/s | {folded:.0}/s, {:.1} times | {times} times |",
            folded / by_hand
        );
        let service = (after.service - before.service) * 1e6 / callbacks;
        let postgres = (after.postgres - before.postgres) * 1e6 / callbacks;
        println!(
            "| processor time a callback: service and PostgreSQL | | {service:.0} + {postgres:.0} us | 45 us at 512 |"
        );
        let wal_bytes = (after.wal_bytes - before.wal_bytes) / callbacks;
        println!("| write-ahead log a callback | | {wal_bytes:.0} bytes | 1,000 bytes |");
        println!("| peak memory of the process in that run | | {} MiB | under 120 MiB |", served.memory()?.1);
    }
    Ok(())
}

async fn open_loop() -> anyhow::Result<()> {
    let mut cells = Vec::new();
    for kind in [Kind::Baseline, Kind::Service] {
        let served = Served::start(kind).await?;
        let mut arguments = vec!["--rate", "5000", "--connections", "256", "--duration", "20s"];
        if kind == Kind::Service {
            arguments.push("--visibility");
        }
        let outcome = served.simulate(&arguments).await?;
        must_be_clean(&outcome)?;
        cells.push(quantiles(&outcome, "answer_ms")?);
        if kind == Kind::Service {
            cells.push(quantiles(&outcome, "visible_ms")?);
        }
    }
    let [by_hand, answer, visible] = cells.try_into().map_err(|_| anyhow::anyhow!("three were measured"))?;
    println!("| response time at 5,000/s | {by_hand} | {answer} | p50 under 3 ms, p99 under 15 ms |");
    println!("| sent to visible in the API at 5,000/s | | {visible} | p50 under 30 ms, p99 under 150 ms |");
    Ok(())
}

async fn storm() -> anyhow::Result<()> {
    let served = Served::start(Kind::Service).await?;
    let arguments = ["--messages", "200000", "--connections", "512", "--duration", "2m", "--streams", "1000000"];
    let outcome = served.simulate(&arguments).await?;
    must_be_clean(&outcome)?;
    let visible = wait_until_folded(&served).await?;
    let (rate, seconds) = (number(&outcome, "acknowledged_per_second")?, number(&outcome, "elapsed_seconds")?);
    println!(
        "| storm of 200,000: answered in | | {seconds:.1} s, {rate:.0}/s, all answered 200 | all answered 200, none lost |"
    );
    println!("| all of it visible after the last response | | {:.1} s | within 5 s |", visible.as_secs_f64());
    println!("| peak memory of the process in that run | | {} MiB | under 120 MiB |", served.memory()?.1);
    let begun = Instant::now();
    served.run(&["rebuild", "--verify"], KEY).await?;
    let rate = 200_000.0 / begun.elapsed().as_secs_f64();
    println!("| `rebuild --verify` of it: no difference | | {rate:.0} entries/s | |");
    let begun = Instant::now();
    served.run(&["rebuild"], KEY).await?;
    let rate = 200_000.0 / begun.elapsed().as_secs_f64();
    println!("| `rebuild` of it | | {rate:.0} entries/s | 100,000 entries/s |");
    Ok(())
}

/// Receives while 100,000 forged callbacks arrive, without and with keeping them.
async fn flood() -> anyhow::Result<()> {
    let mut rates = Vec::new();
    for capacity in ["0", "64"] {
        let served = Served::start_with(Kind::Service, &["--rejection-capacity", capacity]).await?;
        let genuine = served.simulate(&["--connections", "64", "--duration", "20s"]);
        let forged = ["--connections", "64", "--rate", "5000", "--messages", "100000", "--duration", "25s"];
        let (genuine, ()) = tokio::join!(genuine, served.forge(&forged));
        let genuine = genuine?;
        must_be_clean(&genuine)?;
        rates.push(number(&genuine, "acknowledged_per_second")?);
        // Counts and kept callbacks are written each second.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut connection = PgConnection::connect_with(&served.database()?).await?;
        let flood = "select pg_total_relation_size('kept_rejection') >> 10, sum(count)::bigint, sum(kept)::bigint from rejection";
        let (kibibytes, rejected, kept): (i64, i64, i64) = sqlx::query_as(flood).fetch_one(&mut connection).await?;
        println!("| a flood: kept of {rejected} | | {kept} in {kibibytes} KiB | under 65,536 KiB |");
        println!("| peak memory of the process in that run | | {} MiB | under 120 MiB |", served.memory()?.1);
    }
    let [counted, kept] = rates.try_into().map_err(|_| anyhow::anyhow!("two were measured"))?;
    println!("| received meanwhile, if forged ones are only counted | | {counted:.0}/s | |");
    println!("| received meanwhile, if they are kept | | {kept:.0}/s, {:.2} times | 0.9 times |", kept / counted);
    Ok(())
}

async fn starts() -> anyhow::Result<()> {
    let begun = Instant::now();
    let served = Served::start(Kind::Service).await?;
    // Subtract the two seconds that `start` waits for the domain.
    let from_nothing = begun.elapsed().saturating_sub(Duration::from_secs(2));
    println!("| start with an empty data folder, to a first domain | | {:.1} s | 4 s |", from_nothing.as_secs_f64());
    let (served, warm) = served.start_again().await?;
    println!("| start with a warm data folder | | {:.2} s | 1 s |", warm.as_secs_f64());
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!("| memory of the process, idle | | {} MiB | under 40 MiB |", served.memory()?.0);
    Ok(())
}

/// Waits until the log is folded. Returns the time that it took.
///
/// # Errors
/// The database failed, or folding did not finish in time.
pub async fn wait_until_folded(served: &Served) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut connection = PgConnection::connect_with(&served.database()?).await?;
    while store::fold::get_lag(&mut connection).await?.entries > 0 {
        if begun.elapsed() > Duration::from_mins(2) {
            bail!("folding did not finish in time");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(begun.elapsed())
}

/// Checks that every callback was answered 200.
///
/// # Errors
/// One was not.
pub fn must_be_clean(outcome: &Value) -> anyhow::Result<()> {
    let answered = outcome.get("answered").and_then(Value::as_object).context("answers are counted")?;
    if answered.keys().any(|status| status != "200") || number(outcome, "failed")? > 0.0 {
        bail!("not everything was answered 200: {outcome}");
    }
    Ok(())
}

/// The median and the 99th percentile of a time, from the load's report.
///
/// # Errors
/// It is missing.
pub fn quantiles(outcome: &Value, name: &str) -> anyhow::Result<String> {
    let at = |quantile: &str| outcome.pointer(&format!("/{name}/{quantile}")).and_then(Value::as_f64);
    let both = at("p50").zip(at("p99")).with_context(|| format!("the report lacks {name}"))?;
    Ok(format!("p50 {:.1} ms, p99 {:.1} ms", both.0, both.1))
}

/// A number from the load's report.
///
/// # Errors
/// It is missing.
pub fn number(outcome: &Value, name: &str) -> anyhow::Result<f64> {
    outcome.get(name).and_then(Value::as_f64).with_context(|| format!("the report lacks {name}"))
}
