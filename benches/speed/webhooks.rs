//! Measures webhooks: how soon events arrive, and what webhooks cost receiving.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use streamtally::platform::clock;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::rows::{must_be_clean, number, quantiles};
use crate::service::{DOMAIN, KEY, Kind, Served};

const ALLOW: [&str; 3] = ["--webhook-allow-http", "--webhook-allow-networks", "127.0.0.0/8"];

/// No one listens there.
const NOWHERE: &str = "http://127.0.0.1:9/";

/// As much as 64 connections can send, and a steady load.
const LOAD: [&str; 4] = ["--connections", "64", "--duration", "20s"];
const STEADY: [&str; 6] = ["--rate", "1000", "--connections", "64", "--duration", "20s"];

/// Accepts everything, and notes when it came.
struct Receiver {
    url: String,
    /// Milliseconds from the recording of an event to its arrival; 0 for a relayed callback.
    delays: Arc<Mutex<Vec<f64>>>,
}

impl Receiver {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let delays = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&delays);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let delays = Arc::clone(&shared);
                tokio::spawn(async move { serve(connection, &delays).await });
            }
        });
        Ok(Self { url, delays })
    }

    fn count(&self) -> usize {
        self.delays.lock().map_or(0, |delays| delays.len())
    }

    /// A quantile of the delays.
    fn quantile(&self, quantile: f64) -> f64 {
        let mut delays = self.delays.lock().map(|delays| delays.clone()).unwrap_or_default();
        delays.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (delays.len() as f64 * quantile) as usize;
        delays.get(index.min(delays.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

async fn serve(connection: TcpStream, delays: &Mutex<Vec<f64>>) -> anyhow::Result<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await?;
        let event: Value = serde_json::from_slice(&body)?;
        let recorded_at = event.get("timestamp").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let delay = recorded_at
            .map_or(0.0, |recorded_at: DateTime<Utc>| (clock::now() - recorded_at).as_seconds_f64() * 1_000.0);
        if let Ok(mut delays) = delays.lock() {
            delays.push(delay);
        }
        reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
}

/// Measures, and prints rows.
///
/// # Errors
/// A measurement failed.
pub async fn measure() -> anyhow::Result<()> {
    let served = Served::start_with(Kind::Service, &ALLOW).await?;
    let receiver = Receiver::start().await?;
    add(&served, &["measured", &receiver.url]).await?;
    let outcome = served.simulate(&["--rate", "100", "--connections", "16", "--duration", "60s"]).await?;
    must_be_clean(&outcome)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!(
        "| recorded to received by a webhook at 100/s, {} events | | p50 {:.0} ms, p99 {:.0} ms | under 1,000 ms |",
        receiver.count(),
        receiver.quantile(0.5),
        receiver.quantile(0.99)
    );
    drop(served);

    let names: Vec<String> = (0..10).map(|number| format!("dead{number}")).collect();
    let dead: Vec<Vec<&str>> = names.iter().map(|name| vec![name.as_str(), NOWHERE]).collect();
    let live = Receiver::start().await?;
    let live = [vec!["live", &live.url]];
    let relay = Receiver::start().await?;
    let relay = [vec!["relay", &relay.url, "--relay", "--domain", DOMAIN]];
    let mut rate_without = 0.0;
    for (name, webhooks, goal) in [
        ("without webhooks", [].as_slice(), ""),
        ("with ten webhooks that nobody answers", &dead, "0.95 times"),
        ("with one that is answered", &live, ""),
        ("with a relay", &relay, "0.95 times"),
    ] {
        let rate = number(&receive(webhooks, &LOAD).await?, "acknowledged_per_second")?;
        rate_without = if webhooks.is_empty() { rate } else { rate_without };
        println!("| received by 64 connections {name} | | {rate:.0}/s, {:.2} times | {goal} |", rate / rate_without);
        let answer = quantiles(&receive(webhooks, &STEADY).await?, "answer_ms")?;
        println!("| response time at 1,000/s {name} | | {answer} | |");
    }
    Ok(())
}

/// What the load reports while callbacks are received, with these webhooks.
async fn receive(webhooks: &[Vec<&str>], load: &[&str]) -> anyhow::Result<Value> {
    let served = Served::start_with(Kind::Service, &ALLOW).await?;
    for webhook in webhooks {
        add(&served, webhook).await?;
    }
    // Every process knows a relay within two seconds.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let outcome = served.simulate(load).await?;
    must_be_clean(&outcome)?;
    Ok(outcome)
}

async fn add(served: &Served, arguments: &[&str]) -> anyhow::Result<()> {
    served.run(&[&["webhook", "add"], arguments, &ALLOW].concat(), KEY).await?;
    Ok(())
}
