//! Draining the spool: what waits in it goes into the log, in its order, when the database is back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::Counter;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::alarm::Alarms;
use super::append::{Log, MOST_AT_ONCE};
use super::group_commit::AppendError;
use super::incoming::Incoming;
use super::spool::{Portion, Spool, SpoolError};
use crate::clock;
use crate::huawei::admission::QuarantineReason;
use crate::telemetry::metrics::DRAINED_MESSAGES;

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
    /// What comes next, as far as it is not in the log.
    portion: Option<Portion>,
    /// How many messages are appended in one commit: fewer when the database does not get done with more.
    at_once: usize,
}

impl Drain {
    /// Drains a spool into a log. `appended` is told of every commit.
    #[must_use]
    pub fn new(spool: Arc<Spool>, log: Log, alarms: Arc<Alarms>, appended: Arc<Notify>) -> Self {
        Self { spool, log, alarms, appended, portion: None, at_once: MOST_AT_ONCE }
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
        let mut was_failing = false;
        while !self.spool.is_clean() {
            let went_on = self.drain_some().await;
            if let (Err(error), false) = (&went_on, was_failing) {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "the spool cannot be read or written: see to the data folder's disk; messages wait there that are \
                     nowhere else"
                );
            }
            was_failing = went_on.is_err();
            if !went_on.unwrap_or(false) {
                sleep(PAUSE).await;
            }
            if reported.elapsed() > REPORT {
                reported = Instant::now();
                let fill = self.spool.fill();
                tracing::warn!(
                    fill.messages,
                    fill.bytes,
                    fill.capacity_bytes,
                    "messages wait in the spool: see to the database before the spool is full"
                );
            }
        }
    }

    /// Drains what comes next; false when the database does not take it.
    async fn drain_some(&mut self) -> Result<bool, SpoolError> {
        if self.portion.is_none() {
            self.portion = self.spool.next().await?;
        }
        if let Some(mut portion) = self.portion.take() {
            let appended = self.append(&mut portion.left).await;
            if !portion.left.is_empty() {
                self.portion = Some(portion);
                return appended;
            }
            self.spool.settle(&portion);
        }
        self.spool.remove_drained().await?;
        Ok(true)
    }

    /// Appends the first of these messages, and leaves those that are not in the log; false when some of the first are
    /// among these.
    async fn append(&mut self, left: &mut Vec<Incoming>) -> Result<bool, SpoolError> {
        let later = left.split_off(left.len().min(self.at_once));
        let first = std::mem::take(left);
        let domains: Vec<_> = first.iter().map(|message| message.row.domain.clone()).collect();
        let settled = self.log.append(first, PATIENCE).await;
        let all_settled = settled.unconfirmed.is_empty();
        self.at_once = if all_settled { MOST_AT_ONCE.min(self.at_once * 2) } else { 1.max(self.at_once / 2) };
        left.extend(settled.unconfirmed.into_iter().map(|(_, message)| message));
        left.extend(later);
        let as_received = settled.logged.iter().filter(|(_, quarantined)| quarantined.is_none()).count();
        drained("logged", "").increment(as_received as u64);
        for (place, quarantined) in settled.logged {
            if let Some((reason, domain)) = quarantined.zip(domains.get(place)) {
                drained("quarantined", reason.as_str()).increment(1);
                self.alarms.quarantined(domain, reason, clock::now());
            }
        }
        self.appended.notify_one();
        let mut kept = Ok(all_settled);
        for (_, message) in settled.refused {
            tracing::error!(
                "the database refuses a spooled message: it is kept aside, and /readyz counts it; keep the file \
                 standby.sqlite (and standby.sqlite-wal) and report this as a defect"
            );
            if let Err(error) = self.spool.keep_aside(&message).await {
                left.push(message);
                kept = Err(error);
            } else {
                drained("refused", AppendError::Refused.as_str()).increment(1);
            }
        }
        kept
    }
}

/// Counts messages that do not wait any more.
fn drained(outcome: &'static str, cause: &'static str) -> Counter {
    DRAINED_MESSAGES.counter_of(&[("outcome", outcome), ("cause", cause)])
}

/// Serves these counts from now on, before there is anything to count.
pub fn register_meters() {
    let _ = drained("logged", "");
    for reason in [
        QuarantineReason::SignatureOfAnotherStream,
        QuarantineReason::SignatureOfAnotherPush,
        QuarantineReason::EndOfUnknownPush,
    ] {
        let _ = drained("quarantined", reason.as_str());
    }
    let _ = drained("refused", AppendError::Refused.as_str());
}
