//! Gauges of the process: the status of its parts, its pools, and, if it folds, counts of live sessions, waiting
//! callbacks and lag. One task samples them periodically, so scraping metrics costs the database nothing.
//!
//! A value that cannot be read is NaN, as an old value would look current.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::connections::Connections;
use crate::app::state::AppState;
use crate::config::Role;
use crate::event_log::{append, drain, release};
use crate::http::health;
use crate::http::{callback_metrics, reports};
use crate::model::event::QuarantineReason;
use crate::model::filter::LiveFilter;
use crate::platform::clock;
use crate::platform::tls::{Expiry, Validity, ValidityOfServed};
use crate::query;
use crate::query::live::LiveTotals;
use crate::reconciler::database_clock::{ClockError, ClockReading};
use crate::reconciler::infer;
use crate::rejection::{kept, retry};
use crate::store;
use crate::store::fold::LagRow;
use crate::store::release::WaitingRow;
use crate::telemetry::metrics::{
    BUILD_INFO, CERTIFICATE_EXPIRY, CERTIFICATE_RENEWAL_OVERDUE, DATABASE_CLOCK_OFFSET_SECONDS, FOLD_LAG_ENTRIES,
    FOLD_LAG_SECONDS, LIVE_SESSIONS, LIVE_STREAMS, LOG_AHEAD_SECONDS, NEVER_HEARD_DOMAINS, PART_READY,
    POOL_CONNECTIONS, POOL_CONNECTIONS_MAX, QUARANTINE_WAITING_MESSAGES, UNCONFIRMED_SESSIONS,
};

/// The sampling interval. Longer than Prometheus's scrape interval would be of little use.
const PERIOD: Duration = Duration::from_secs(10);

/// Timeout of each query.
const SAMPLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Counting live sessions takes at most one of so many seconds: it takes a second for half a million of them under load.
const COUNTING_SHARE: u32 = 20;

/// The period in which quarantined callbacks are counted.
const QUARANTINED_SINCE: TimeDelta = TimeDelta::days(7);

/// The most that are counted: above this, the exact number does not matter.
const QUARANTINED_MOST: i64 = 1_000;

/// How soon after its registration a domain should have sent a callback.
const HEARD_WITHIN: TimeDelta = TimeDelta::hours(1);

/// Samples the metrics of a process.
pub struct Sampler {
    state: Data<AppState>,
    fold_pool: Option<PgPool>,
    connections: Connections,
    /// When live sessions are counted again.
    live_due: Instant,
    /// The result of the last comparison of the clocks: why the times of the log are unreliable, if they are.
    wrong_clock: Option<ClockError>,
}

impl Sampler {
    /// Samples the process with this state. `fold_pool` is set if it folds.
    pub fn new(state: Data<AppState>, fold_pool: Option<PgPool>, connections: Connections) -> Self {
        initialize_metrics(&state.roles);
        Self { state, fold_pool, connections, live_due: Instant::now(), wrong_clock: None }
    }

    /// Samples periodically until stopped.
    pub async fn run(mut self, stopped: CancellationToken) {
        while stopped.run_until_cancelled(Box::pin(self.sample())).await.is_some() {
            stopped.run_until_cancelled(sleep(PERIOD)).await;
        }
    }

    async fn sample(&mut self) {
        self.connections.room().show();
        self.show_pools();
        show_certificate(self.state.certificate.as_ref().and_then(ValidityOfServed::get));
        self.show_clocks().await;
        for part in health::inspect(&self.state).await {
            PART_READY.gauge_of(&[("part", part.name.as_str())]).set(f64::from(u8::from(part.ready)));
        }
        if self.state.roles.contains(&Role::Reconciler) {
            show_lag(within_patience(store::fold::get_lag(&self.state.work_pool)).await);
            self.show_live().await;
            show_waiting(within_patience(self.count_waiting()).await.as_deref());
            show_never_heard(within_patience(self.count_never_heard()).await);
        }
    }

    async fn show_clocks(&mut self) {
        let clocks = within_patience(ClockReading::take(&self.state.work_pool)).await;
        let seconds = |time: Option<TimeDelta>| time.map_or(f64::NAN, TimeDelta::as_seconds_f64);
        DATABASE_CLOCK_OFFSET_SECONDS.gauge_of(&[]).set(seconds(clocks.map(|clocks| clocks.offset)));
        LOG_AHEAD_SECONDS.gauge_of(&[]).set(seconds(clocks.map(|clocks| clocks.log_ahead())));
        let Some(clocks) = clocks else { return };
        let error = clocks.check(self.state.clock_tolerance).err();
        match (self.wrong_clock, error) {
            (None, Some(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "a clock is wrong: until it is corrected, no report is made, no end is inferred, and nothing is \
                 redacted or dropped; callbacks are received"
            ),
            (Some(_), None) => tracing::info!("the clocks are right again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        self.wrong_clock = error;
    }

    fn show_pools(&self) {
        let AppState { work_pool, query_pool, report_pool, roles, .. } = &**self.state;
        let mut pools = vec![("work", work_pool)];
        pools.extend(self.fold_pool.as_ref().map(|pool| ("fold", pool)));
        if roles.iter().any(|role| matches!(role, Role::Reconciler | Role::Api)) {
            pools.push(("query", query_pool));
        }
        if roles.contains(&Role::Api) {
            pools.push(("report", report_pool));
        }
        for (name, pool) in pools {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            let connections = |state| POOL_CONNECTIONS.gauge_of(&[("pool", name), ("state", state)]);
            connections("idle").set(idle);
            connections("in_use").set(pool.size().saturating_sub(idle));
            POOL_CONNECTIONS_MAX.gauge_of(&[("pool", name)]).set(pool.options().get_max_connections());
        }
    }

    async fn show_live(&mut self) {
        let begun = Instant::now();
        if begun < self.live_due {
            return;
        }
        let counts = within_patience(self.count_live()).await;
        if counts.is_some() {
            self.live_due = begun + begun.elapsed() * COUNTING_SHARE;
        }
        let shown = |count: fn(LiveTotals) -> i64| number(counts.map(count));
        LIVE_STREAMS.gauge_of(&[]).set(shown(|counts| counts.live_streams));
        LIVE_SESSIONS.gauge_of(&[]).set(shown(|counts| counts.live_sessions));
        UNCONFIRMED_SESSIONS.gauge_of(&[]).set(shown(|counts| counts.unconfirmed_sessions));
    }

    async fn count_live(&self) -> Result<LiveTotals, sqlx::Error> {
        let pool = &self.state.query_pool;
        let filter = LiveFilter::default();
        let counts = query::live::count_live(pool, None, &filter, self.state.unconfirmed_after, None).await?;
        Ok(counts.whole)
    }

    async fn count_waiting(&self) -> Result<Vec<WaitingRow>, sqlx::Error> {
        let since = clock::now() - QUARANTINED_SINCE;
        store::release::count_waiting(&self.state.query_pool, since, QUARANTINED_MOST).await
    }

    async fn count_never_heard(&self) -> Result<usize, sqlx::Error> {
        query::inactivity::count_never_heard(&self.state.query_pool, clock::now() - HEARD_WITHIN).await
    }
}

/// Registers the metrics of this process's roles, so that they are exported before the first value: an increase from 0
/// can be detected only if 0 was exported.
fn initialize_metrics(roles: &[Role]) {
    BUILD_INFO.gauge_of(&[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
    if roles.contains(&Role::Receiver) {
        callback_metrics::initialize_metrics();
        append::initialize_metrics();
        drain::initialize_metrics();
        kept::initialize_metrics();
    }
    if roles.contains(&Role::Reconciler) {
        infer::initialize_metrics();
    }
    if roles.contains(&Role::Api) {
        release::initialize_metrics();
        reports::timing::initialize_metrics();
        retry::initialize_metrics();
    }
}

/// The result of a query, or `None` on error or timeout.
async fn within_patience<T>(told: impl Future<Output = Result<T, sqlx::Error>>) -> Option<T> {
    match timeout(SAMPLE_TIMEOUT, told).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
        Ok(told) => Some(told),
        Err(error) => {
            // Only debug: tasks that depend on the database log its failures prominently.
            tracing::debug!(error = &error as &dyn std::error::Error, "a metric cannot be read from the database");
            None
        }
    }
}

fn show_certificate(validity: Option<Validity>) {
    CERTIFICATE_EXPIRY.gauge_of(&[]).set(number(validity.map(|validity| validity.ends_at.timestamp())));
    let is_overdue = validity.is_some_and(|validity| validity.expiry(clock::now()) != Expiry::Far);
    CERTIFICATE_RENEWAL_OVERDUE.gauge_of(&[]).set(f64::from(u8::from(is_overdue)));
}

fn show_lag(lag: Option<LagRow>) {
    let seconds = lag.map(|lag| {
        let lags_for = lag.oldest_recorded_at.map_or(TimeDelta::zero(), |oldest| clock::now() - oldest);
        lags_for.as_seconds_f64().max(0.0)
    });
    FOLD_LAG_ENTRIES.gauge_of(&[]).set(number(lag.map(|lag| lag.entries)));
    FOLD_LAG_SECONDS.gauge_of(&[]).set(seconds.unwrap_or(f64::NAN));
}

fn show_waiting(waiting: Option<&[WaitingRow]>) {
    for &reason in QuarantineReason::ALL {
        let of_reason = |rows: &[WaitingRow]| rows.iter().find(|row| row.reason == reason).map(|row| row.messages);
        // Counting stopped at the limit, so a reason that was not found may have callbacks, too.
        let or_none =
            |rows: &[WaitingRow]| (rows.iter().map(|row| row.messages).sum::<i64>() < QUARANTINED_MOST).then_some(0);
        let messages = waiting.and_then(|rows| of_reason(rows).or_else(|| or_none(rows)));
        QUARANTINE_WAITING_MESSAGES.gauge_of(&[("reason", reason.as_str())]).set(number(messages));
    }
}

fn show_never_heard(domains: Option<usize>) {
    let domains = domains.and_then(|domains| i64::try_from(domains).ok());
    NEVER_HEARD_DOMAINS.gauge_of(&[]).set(number(domains));
}

#[expect(clippy::cast_precision_loss, reason = "gauges are approximate")]
fn number(known: Option<i64>) -> f64 {
    known.map_or(f64::NAN, |number| number as f64)
}
