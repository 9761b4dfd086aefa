//! Draining the spool: what waits in it goes into the log, in its order, when the database is back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::counter;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::alarm::Alarms;
use super::append::Log;
use super::spool::{Portion, Spool, SpoolError};
use crate::clock;
use crate::huawei::admission::QuarantineReason;

/// How long to wait before the database is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the database may take to commit. Nobody waits for this.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the log says that the spool is in use.
const REPORT: Duration = Duration::from_mins(1);

/// Drains the spool.
pub struct Drain {
    spool: Arc<Spool>,
    log: Log,
    alarms: Arc<Alarms>,
    appended: Arc<Notify>,
    /// What was taken from the spool and is not yet removed from it.
    portion: Option<Portion>,
}

impl Drain {
    /// Drains a spool into a log. `appended` is told of every commit.
    #[must_use]
    pub fn new(spool: Arc<Spool>, log: Log, alarms: Arc<Alarms>, appended: Arc<Notify>) -> Self {
        Self { spool, log, alarms, appended, portion: None }
    }

    /// Drains whatever comes until stopped.
    pub async fn run(mut self, stopped: CancellationToken) {
        while stopped.run_until_cancelled(self.spool.until_filled()).await.is_some() {
            let began = Instant::now();
            if stopped.run_until_cancelled(self.drain_all()).await.is_none() {
                return;
            }
            tracing::info!(seconds = began.elapsed().as_secs(), "the spool is drained: all of it is in the log");
        }
    }

    async fn drain_all(&mut self) {
        let mut reported = Instant::now();
        while !self.spool.is_empty() {
            let went_on = self.drain_some().await;
            if let Err(error) = &went_on {
                tracing::warn!(error = error as &dyn std::error::Error, "the spool cannot be read or written");
            }
            if !went_on.unwrap_or(false) {
                sleep(PAUSE).await;
            }
            if reported.elapsed() > REPORT {
                reported = Instant::now();
                let fill = self.spool.fill();
                tracing::warn!(fill.messages, fill.bytes, fill.capacity_bytes, "messages wait in the spool");
            }
        }
    }

    /// Drains what comes next; false when the database does not take all of it.
    ///
    /// What it has taken is remembered here, so that nothing is appended again because the spool could not be written.
    async fn drain_some(&mut self) -> Result<bool, SpoolError> {
        let mut portion = match self.portion.take() {
            Some(portion) => portion,
            None => match self.spool.next().await? {
                Some(portion) => portion,
                None => return Ok(false),
            },
        };
        let drained = self.append(&mut portion).await;
        let done = drained.is_ok() && portion.left.is_empty();
        let portion = self.portion.insert(portion);
        drained?;
        if done {
            self.spool.remove(portion).await?;
            self.portion = None;
        }
        Ok(done)
    }

    async fn append(&mut self, portion: &mut Portion) -> Result<(), SpoolError> {
        let left = std::mem::take(&mut portion.left);
        if left.is_empty() {
            return Ok(());
        }
        let domains: Vec<_> = left.iter().map(|message| message.row.domain.clone()).collect();
        let settled = self.log.append(left, PATIENCE).await;
        portion.left.extend(settled.unconfirmed.into_iter().map(|(_, message)| message));
        counter!("streamtally_drained_messages_total").increment(settled.logged.len() as u64);
        for (place, quarantined) in settled.logged {
            if let Some((reason, domain)) = quarantined.zip(domains.get(place)) {
                self.tell(domain, reason);
            }
        }
        self.appended.notify_one();
        for (_, message) in settled.refused {
            tracing::error!("the database refuses a spooled message; it is kept aside");
            if let Err(error) = self.spool.keep_aside(&message).await {
                portion.left.push(message);
                return Err(error);
            }
        }
        Ok(())
    }

    fn tell(&self, domain: &str, reason: QuarantineReason) {
        counter!("streamtally_callbacks_total", "outcome" => "quarantined_when_drained", "cause" => reason.as_str())
            .increment(1);
        self.alarms.quarantined(domain, reason, clock::now());
    }
}
