//! Sends from many connections, each with one callback at a time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use indicatif::ProgressBar;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};

use super::authority_of;
use super::outcome::LoadReport;
use super::supply::{Prepared, Supply};
use super::visibility::Watch;
use crate::cli::client::Client;
use crate::cli::client::problem::unreachable_at;

const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

pub struct Plan {
    pub url: Url,
    pub connections: u16,
    /// Callbacks per second; `None` for as fast as possible.
    pub rate: Option<u32>,
    /// Maximum duration.
    pub duration: Duration,
    /// Maximum number of callbacks.
    pub messages: Option<u64>,
}

/// Shared by the connections, on one thread.
struct Sending {
    authority: String,
    path: String,
    begin: Instant,
    until: Instant,
    every: Option<Duration>,
    most: u64,
    number: Cell<u64>,
    supply: RefCell<Supply>,
    outcome: Rc<LoadReport>,
    watch: Option<Rc<Watch>>,
}

/// Sends until the plan is complete and every callback is answered.
///
/// # Errors
/// The service is unreachable.
pub async fn send(
    plan: &Plan,
    supply: Supply,
    visibility: Option<Rc<Client>>,
    outcome: Rc<LoadReport>,
    progress: &ProgressBar,
) -> anyhow::Result<()> {
    let authority = authority_of(&plan.url)?;
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        connections.push(connect(&authority).await.with_context(|| unreachable_at(&plan.url))?);
    }
    let path = plan.url.join("/callbacks/huawei")?.path().to_owned();
    let watch = visibility.map(|client| Rc::new(Watch::new(client, Rc::clone(&outcome))));
    let begin = Instant::now();
    let sending = Rc::new(Sending {
        authority,
        path,
        begin,
        until: begin + plan.duration,
        every: plan.rate.map(|rate| Duration::from_secs(1) / rate),
        most: plan.messages.unwrap_or(u64::MAX),
        number: Cell::new(0),
        supply: RefCell::new(supply),
        outcome: Rc::clone(&outcome),
        watch,
    });
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn_local(Rc::clone(&sending).keep_sending(connection));
    }
    let shown = async {
        loop {
            progress.set_position(outcome.acknowledged.get());
            sleep(PROGRESS_INTERVAL).await;
        }
    };
    tokio::select! {
        _ = tasks.join_all() => {}
        () = shown => {}
    }
    outcome.elapsed.set(begin.elapsed());
    if let Some(watch) = &sending.watch {
        watch.finish().await;
    }
    Ok(())
}

async fn connect(authority: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the connection; the request returns its error.
    spawn_local(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

impl Sending {
    async fn keep_sending(self: Rc<Self>, mut connection: SendRequest<Full<Bytes>>) {
        while let Some(due) = self.next_due() {
            // A timer has a resolution of a millisecond.
            if due > Instant::now() {
                sleep_until(due).await;
            }
            let prepared = self.supply.borrow_mut().take();
            // With a rate, the wait for a free connection counts, too.
            let asked_at = if self.every.is_some() { due } else { Instant::now() };
            if let Ok(status) = self.ask(&mut connection, &prepared).await {
                self.note(&prepared, status, asked_at);
                continue;
            }
            self.outcome.failed.set(self.outcome.failed.get() + 1);
            match self.connect_again().await {
                Some(another) => connection = another,
                None => return,
            }
        }
    }

    /// When the next callback is due; `None` at the end.
    fn next_due(&self) -> Option<Instant> {
        let number = self.number.get();
        self.number.set(number + 1);
        let due = match self.every {
            Some(every) => self.begin + every.mul_f64(exact(number)),
            None => Instant::now(),
        };
        (number < self.most && due < self.until).then_some(due)
    }

    async fn ask(&self, connection: &mut SendRequest<Full<Bytes>>, prepared: &Prepared) -> anyhow::Result<StatusCode> {
        let request = Request::post(self.path.as_str())
            .header("host", self.authority.as_str())
            .header("content-type", "application/json")
            .body(Full::new(prepared.body.clone()))?;
        connection.ready().await?;
        let answer = connection.send_request(request).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok(status)
    }

    fn note(&self, prepared: &Prepared, status: StatusCode, asked_at: Instant) {
        self.outcome.note(prepared, status, asked_at.elapsed());
        if let Some(watch) = &self.watch {
            watch.consider(prepared, status, asked_at);
        }
    }

    async fn connect_again(&self) -> Option<SendRequest<Full<Bytes>>> {
        while Instant::now() < self.until {
            if let Ok(connection) = connect(&self.authority).await {
                return Some(connection);
            }
            sleep(RECONNECT_PAUSE).await;
        }
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer callbacks than that")]
fn exact(number: u64) -> f64 {
    number as f64
}
