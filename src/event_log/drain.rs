//! Drains the spool: appends its callbacks to the log, in their order, when the database is reachable again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::Counter;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::alarm::Alarms;
use super::append::{Log, MAX_BATCH, Settled};
use super::group_commit::AppendError;
use super::incoming::PendingEntry;
use super::spool::{DrainBatch, Queue, Spool, SpoolError};
use crate::model::event::QuarantineReason;
use crate::platform::clock;
use crate::telemetry::metrics::DRAINED_MESSAGES;

/// How long to wait before the database is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the database may take to commit. No callback waits for this.
const APPEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a log line reports that the spool is in use.
const REPORT: Duration = Duration::from_mins(1);

/// First and longest pause before callbacks that the database rejected are retried.
const FIRST_RETRY: Duration = Duration::from_mins(1);
const LAST_RETRY: Duration = Duration::from_hours(1);

pub struct Drain {
    spool: Arc<Spool>,
    log: Log,
    alarms: Arc<Alarms>,
    appended: Arc<Notify>,
    portion: Option<DrainBatch>,
    /// How many callbacks one commit appends; halved each time the database does not confirm in time.
    at_once: usize,
    missing: Missing,
    retry: Retry,
}

/// Callbacks that were drained since the spool was last empty, and are not in the log.
#[derive(Default, Clone, Copy)]
struct Missing {
    kept_aside: u64,
    lost: u64,
}

/// When callbacks that the database rejected are retried.
struct Retry {
    due: tokio::time::Instant,
    pause: Duration,
}

impl Drain {
    /// Creates a drain of a spool into a log. Each commit notifies `appended`.
    pub fn new(spool: Arc<Spool>, log: Log, alarms: Arc<Alarms>, appended: Arc<Notify>) -> Self {
        let retry = Retry { due: tokio::time::Instant::now(), pause: FIRST_RETRY };
        Self { spool, log, alarms, appended, portion: None, at_once: MAX_BATCH, missing: Missing::default(), retry }
    }

    /// Drains until stopped, and retries callbacks that the database rejected before.
    pub async fn run(mut self, stopped: CancellationToken) {
        while stopped.run_until_cancelled(self.take_turn()).await.is_some() {}
    }

    async fn take_turn(&mut self) {
        if timeout_at(self.retry.due, self.spool.until_filled()).await.is_err() {
            self.retry_rejected().await;
            return;
        }
        let began = Instant::now();
        self.drain_all().await;
        let (seconds, Missing { kept_aside, lost }) = (began.elapsed().as_secs(), std::mem::take(&mut self.missing));
        if kept_aside == 0 && lost == 0 {
            tracing::info!(seconds, "the spool is drained: all of it is in the log");
        } else {
            tracing::error!(
                seconds,
                kept_aside,
                lost,
                "the spool is drained, but some callbacks were kept aside or lost: see the lines above and /readyz"
            );
        }
    }

    async fn drain_all(&mut self) {
        let mut reported = Instant::now();
        let mut was_failing = false;
        while !self.spool.is_clean() {
            let went_on = self.drain_some().await;
            if let (Err(error), false) = (&went_on, was_failing) {
                tell_of_disk(error);
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
                    "callbacks are waiting in the spool: check the database before the spool is full"
                );
            }
        }
    }

    /// Drains the next batch; false when the database does not confirm it.
    async fn drain_some(&mut self) -> Result<bool, SpoolError> {
        if self.portion.is_none() {
            self.portion = self.spool.next(Queue::Spool, u64::MAX).await?;
        }
        if let Some(mut portion) = self.portion.take() {
            let went_on = self.append(&mut portion).await;
            let settled = if portion.left.is_empty() { self.settle(&portion).await } else { Ok(()) };
            if !portion.left.is_empty() || settled.is_err() {
                self.portion = Some(portion);
                return settled.map(|()| went_on);
            }
        }
        self.spool.remove_drained().await?;
        Ok(true)
    }

    /// Appends the first callbacks of a batch, and keeps those that are not in the log in `left`; false when the
    /// database did not confirm all of them.
    async fn append(&mut self, portion: &mut DrainBatch) -> bool {
        let later = portion.left.split_off(portion.left.len().min(self.at_once));
        let Settled { unconfirmed, rejected, .. } = self.log_some(std::mem::take(&mut portion.left)).await;
        let all_settled = unconfirmed.is_empty();
        self.at_once = if all_settled { MAX_BATCH.min(self.at_once * 2) } else { 1.max(self.at_once / 2) };
        portion.left.extend(unconfirmed.into_iter().map(|(_, message)| message));
        portion.left.extend(later);
        portion.rejected.extend(rejected.into_iter().map(|(_, message)| message));
        all_settled
    }

    /// Finishes a batch that has no callbacks left to append.
    async fn settle(&mut self, portion: &DrainBatch) -> Result<(), SpoolError> {
        self.missing.lost += self.spool.settle(portion).await?;
        let (rejected, unreadable) = (portion.rejected.len(), portion.unreadable.len());
        if rejected + unreadable > 0 {
            tracing::error!(
                rejected,
                unreadable,
                "the database rejects spooled callbacks, or this version cannot read them: they are kept in \
                 local-store/rejected, retried, and counted by /readyz; if they stay there, report this as a defect"
            );
            let kept_aside = (rejected + unreadable) as u64;
            drained("rejected", AppendError::Rejected.as_str()).increment(kept_aside);
            self.missing.kept_aside += kept_aside;
            self.retry.soon();
        }
        Ok(())
    }

    /// Appends callbacks, and counts those that are in the log now.
    async fn log_some(&mut self, messages: Vec<PendingEntry>) -> Settled {
        if messages.is_empty() {
            return Settled::default();
        }
        let domains: Vec<_> = messages.iter().map(|message| message.row.domain.clone()).collect();
        let settled = self.log.append(messages, APPEND_TIMEOUT).await;
        let as_received = settled.logged.iter().filter(|(_, quarantined)| quarantined.is_none()).count();
        drained("logged", "").increment(as_received as u64);
        for (place, quarantined) in &settled.logged {
            if let Some((reason, domain)) = quarantined.zip(domains.get(*place)) {
                drained("quarantined", reason.as_str()).increment(1);
                self.alarms.quarantined(domain, reason, clock::now());
            }
        }
        self.appended.notify_one();
        settled
    }

    /// Retries the callbacks that the database rejected before.
    async fn retry_rejected(&mut self) {
        let before = self.spool.fill().rejected_messages;
        let logged = if before == 0 { self.spool.look_for_damage().await.map(|()| 0) } else { self.try_again().await };
        match logged {
            Ok(0) => {}
            Ok(logged) => tracing::info!(
                logged,
                left = self.spool.fill().rejected_messages,
                "callbacks that the database rejected before are in the log now"
            ),
            Err(ref error) => tell_of_disk(error),
        }
        self.retry.after(logged.is_ok_and(|logged| logged > 0));
    }

    /// Retries each rejected callback once, in order; puts those that fail again at the end of the queue. Returns how
    /// many were appended.
    async fn try_again(&mut self) -> Result<u64, SpoolError> {
        let (end, mut logged) = (self.spool.end(Queue::Rejected).await?, 0);
        while let Some(mut portion) = self.spool.next(Queue::Rejected, end).await? {
            let Settled { logged: now, unconfirmed, rejected } = self.log_some(std::mem::take(&mut portion.left)).await;
            logged += now.len() as u64;
            let has_to_stop = !unconfirmed.is_empty() || !self.spool.is_empty();
            let mut others: Vec<_> = rejected.into_iter().chain(unconfirmed).collect();
            others.sort_unstable_by_key(|(place, _)| *place);
            portion.rejected = others.into_iter().map(|(_, message)| message).collect();
            self.spool.settle(&portion).await?;
            self.spool.remove_drained().await?;
            if has_to_stop {
                break;
            }
        }
        Ok(logged)
    }
}

impl Retry {
    /// Schedules the first retry after a rejection.
    fn soon(&mut self) {
        *self = Self { due: tokio::time::Instant::now() + FIRST_RETRY, pause: FIRST_RETRY };
    }

    /// Schedules the next retry: each failure doubles the pause.
    fn after(&mut self, was_of_use: bool) {
        let pause = if was_of_use { FIRST_RETRY } else { self.pause };
        *self = Self { due: tokio::time::Instant::now() + pause, pause: LAST_RETRY.min(pause * 2) };
    }
}

fn tell_of_disk(error: &SpoolError) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the spool cannot be read or written: check the data folder's disk; it holds callbacks that are stored \
         nowhere else"
    );
}

/// The counter of callbacks that left the spool.
fn drained(outcome: &'static str, cause: &'static str) -> Counter {
    DRAINED_MESSAGES.counter_of(&[("outcome", outcome), ("cause", cause)])
}

/// Registers the counters, so that they are exported as zero before the first callback is drained.
pub fn initialize_metrics() {
    let _ = drained("logged", "");
    for reason in [
        QuarantineReason::SignatureOfAnotherStream,
        QuarantineReason::SignatureOfAnotherPush,
        QuarantineReason::EndOfUnknownPush,
    ] {
        let _ = drained("quarantined", reason.as_str());
    }
    let _ = drained("rejected", AppendError::Rejected.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rejected_is_tried_again_less_and_less_often_until_that_is_of_use() {
        let mut retry = Retry { due: tokio::time::Instant::now(), pause: FIRST_RETRY };
        let mut pause_after = |was_of_use| {
            retry.after(was_of_use);
            retry.due.duration_since(tokio::time::Instant::now()).as_secs_f64() / 60.0
        };
        for minutes in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            let pause = pause_after(false);
            assert!((minutes - 1.0..=minutes).contains(&pause), "{pause} minutes, not {minutes}");
        }
        assert!(pause_after(true) <= 1.0);
        assert!(pause_after(false) > 1.0);
        retry.soon();
        assert!(retry.due <= tokio::time::Instant::now() + FIRST_RETRY);
    }
}
