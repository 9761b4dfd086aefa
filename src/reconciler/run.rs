//! The background loops of the reconciler. Folding runs at once after an append of this process, on NOTIFY after an
//! append of another, and by polling in case a notification is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fold_to_end;
use super::infer::{Covered, InferencePolicy, infer_further};
use super::retention::{self, Left, Retained, retain};
use super::slewed_clock::SlewedClock;
use crate::platform::clock;
use crate::reconciler::database_clock::ClockReading;
use crate::store;
use crate::store::channel::{APPENDED, listen_until_stopped};
use crate::store::inference::HeadsRow;

/// Minimum pause between two folds, so that events gather: the pause is as long as the previous fold took, and at least
/// this long. A busy service then folds in batches and leaves resources for receiving; the fixed costs of many small
/// steps would dominate otherwise.
const GATHER: Duration = Duration::from_millis(15);

/// Maximum pause between two folds.
const GATHER_AT_MOST: Duration = Duration::from_millis(250);

/// How often the log is polled without a notification.
const POLL: Duration = Duration::from_secs(1);

/// Maximum pause between two scans for sessions without an end.
const INFER: Duration = Duration::from_secs(30);

/// Minimum pause between two notifications of other processes: NOTIFY serializes commits.
const TELL: Duration = Duration::from_millis(50);

/// How often retention runs.
const RETAIN: Duration = Duration::from_hours(1);

/// How soon retention runs again after a failure, or when the log was in use.
const RETAIN_AGAIN: Duration = Duration::from_mins(1);

/// Folds until stopped. `appended` wakes it after appends of this process; `healthy` is set to whether folding works.
pub async fn fold_until_stopped(
    pool: PgPool,
    appended: Arc<Notify>,
    healthy: Arc<AtomicBool>,
    stopped: CancellationToken,
) {
    tokio::join!(listen_until_stopped(&pool, APPENDED, &appended, &stopped), async {
        // Cancelling a step is safe: its transaction changes nothing.
        let mut begun = Instant::now();
        while let Some(folded) = stopped.run_until_cancelled(fold_to_end(&pool)).await {
            let was_healthy = healthy.swap(folded.is_ok(), Ordering::Relaxed);
            match folded {
                // Everything is folded: waits for a notification, or polls.
                Ok(0) => {
                    let _ = stopped.run_until_cancelled(timeout(POLL, appended.notified())).await;
                }
                Ok(_) => {
                    stopped.run_until_cancelled(sleep(begun.elapsed().clamp(GATHER, GATHER_AT_MOST))).await;
                }
                Err(error) => {
                    if was_healthy {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(
                            error,
                            "sessions cannot be folded; the log keeps every callback: check the database; if it is \
                             healthy, report this as a defect"
                        );
                    }
                    stopped.run_until_cancelled(sleep(POLL)).await;
                }
            }
            begun = Instant::now();
        }
    });
}

/// Notifies other processes of this one's appends, for a process that does not fold.
pub async fn notify_peers_until_stopped(pool: PgPool, appended: Arc<Notify>, stopped: CancellationToken) {
    while stopped.run_until_cancelled(appended.notified()).await.is_some() {
        if let Err(error) = store::channel::notify(&pool, APPENDED).await {
            // They poll every second anyway.
            tracing::debug!(error = &error as &dyn std::error::Error, "other processes could not be told");
        }
        stopped.run_until_cancelled(sleep(TELL)).await;
    }
}

/// Infers until stopped, but not while the clocks are off by more than `clock_tolerance`. Notifies `appended` of
/// inferred ends.
pub async fn infer_until_stopped(
    pool: PgPool,
    rules: InferencePolicy,
    clock_tolerance: TimeDelta,
    appended: Arc<Notify>,
    stopped: CancellationToken,
) {
    let mut clock = SlewedClock::new(clock::now(), Instant::now());
    // Inferred ends must be folded before the next scan, which would find them again.
    let mut found = HeadsRow::default();
    let mut covered = Covered::default();
    let mut was_failing = false;
    while stopped.run_until_cancelled(sleep(pause(&rules))).await.is_some() {
        let now = clock.read(clock::now(), Instant::now());
        let inferred = infer_now(&pool, &rules, clock_tolerance, &mut found, &mut covered, now).await;
        match &inferred {
            Ok(0) => {}
            Ok(findings) => {
                tracing::info!(findings, "ends were inferred");
                appended.notify_one();
            }
            Err(error) if !was_failing => {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "could not scan for sessions without an end; retrying: check the database");
            }
            Err(_) => {}
        }
        was_failing = inferred.is_err();
    }
}

/// Runs retention until stopped, but not while the clocks are off by more than `clock_tolerance`.
pub async fn retain_until_stopped(
    pool: PgPool,
    rules: retention::RetentionPolicy,
    clock_tolerance: TimeDelta,
    stopped: CancellationToken,
) {
    let mut was_failing = false;
    // Cancelling is safe: the open transaction changes nothing.
    while let Some(retained) = stopped.run_until_cancelled(retain_now(&pool, &rules, clock_tolerance)).await {
        if let (Err(error), false) = (&retained, was_failing) {
            let error = error as &dyn std::error::Error;
            tracing::error!(
                error,
                "retention failed; retrying: data are kept for longer than configured; check the database"
            );
        }
        was_failing = retained.is_err();
        let soon = !matches!(&retained, Ok(Retained { left: None | Some(Left::Busy | Left::NotFolded), .. }));
        stopped.run_until_cancelled(sleep(if soon { RETAIN_AGAIN } else { RETAIN })).await;
    }
}

/// Redacts and drops what is old enough now, if the clocks are reliable. Sampling reports wrong clocks.
///
/// # Errors
/// Those of the database; commits before the error remain.
pub async fn retain_now(
    pool: &PgPool,
    rules: &retention::RetentionPolicy,
    clock_tolerance: TimeDelta,
) -> Result<Retained, sqlx::Error> {
    let clocks = ClockReading::take(pool).await?;
    match clocks.check(clock_tolerance) {
        Ok(()) => retain(pool, rules, clocks.database_time).await,
        Err(error) => Ok(Retained { left: Some(Left::WrongClock(error)), ..Retained::default() }),
    }
}

/// Appends the ends that can be inferred at `now`, if the clocks are reliable and earlier findings (`found`) are
/// folded.
pub async fn infer_now(
    pool: &PgPool,
    rules: &InferencePolicy,
    clock_tolerance: TimeDelta,
    found: &mut HeadsRow,
    covered: &mut Covered,
    now: DateTime<Utc>,
) -> Result<usize, sqlx::Error> {
    let is_clock_wrong = ClockReading::take(pool).await?.check(clock_tolerance).is_err();
    if is_clock_wrong || !store::inference::is_folded_to(pool, found).await? {
        return Ok(0);
    }
    let findings = infer_further(pool, rules, covered, now).await?;
    if findings > 0 {
        *found = store::inference::get_heads(pool).await?;
    }
    Ok(findings)
}

/// The pause between two scans: a tenth of the shortest timeout of the policy, within limits.
fn pause(rules: &InferencePolicy) -> Duration {
    let close_after = rules.close_unconfirmed_after.unwrap_or(TimeDelta::MAX);
    let shortest = rules.supersede_after.min(close_after);
    (shortest.to_std().unwrap_or_default() / 10).clamp(Duration::from_secs(1), INFER)
}
