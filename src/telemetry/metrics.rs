//! All metrics: name, kind, unit, help and buckets. `docs/metrics.md` describes them for operators.
//!
//! Each process exports the metrics of its roles. Labels have few values, all of them from closed sets: never a domain, app,
//! stream or address, so that callers cannot create time series.

use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Names and values of labels.
pub type Labels<'a> = &'a [(&'static str, &'static str)];

#[derive(Debug)]
pub struct Metric {
    name: &'static str,
    kind: MetricType,
    unit: Unit,
    help: &'static str,
}

#[derive(Debug)]
enum MetricType {
    Counter,
    Gauge,
    /// Upper bounds of the buckets.
    Histogram(&'static [f64]),
}

/// For short statements.
const STATEMENT_SECONDS: &[f64] = &[0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

const REPORT_SECONDS: &[f64] = &[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0];

/// For requests to receivers of webhooks, which have 15 s to respond.
const ATTEMPT_SECONDS: &[f64] = &[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0];

/// Callbacks per commit.
const BATCH: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0];

/// Shows whether the provider sets the expiry to the time of sending or later: common offsets, minus the time of transfer, have
/// their own buckets.
const REMAINING_SECONDS: &[f64] = &[
    -3_600.0, -600.0, -60.0, -10.0, -2.0, -1.0, 0.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1_800.0, 3_600.0,
    86_400.0, 604_800.0,
];

pub const BUILD_INFO: Metric = Metric::gauge("streamtally_build_info", Unit::Count, "Always 1; the version is a label");

/// As in `/readyz`.
pub const PART_READY: Metric =
    Metric::gauge("streamtally_part_ready", Unit::Count, "Whether a part of this process is ready");

pub const CERTIFICATE_EXPIRY: Metric = Metric::gauge(
    "streamtally_certificate_expiry_timestamp_seconds",
    Unit::Seconds,
    "Expiry of the served certificate, in Unix seconds",
);

pub const CERTIFICATE_RENEWAL_OVERDUE: Metric = Metric::gauge(
    "streamtally_certificate_renewal_overdue",
    Unit::Count,
    "Whether the served certificate has expired or expires soon",
);

pub const CONNECTIONS: Metric = Metric::gauge("streamtally_connections", Unit::Count, "Open connections of callers");

pub const CONNECTIONS_MAX: Metric =
    Metric::gauge("streamtally_connections_max", Unit::Count, "Maximum open connections of callers");

pub const REFUSED_CONNECTIONS: Metric = Metric::counter(
    "streamtally_refused_connections_total",
    Unit::Count,
    "Connections closed because their address had too many",
);

pub const POOL_CONNECTIONS: Metric =
    Metric::gauge("streamtally_pool_connections", Unit::Count, "Open connections to the database, by pool and state");

pub const POOL_CONNECTIONS_MAX: Metric =
    Metric::gauge("streamtally_pool_connections_max", Unit::Count, "Maximum connections of a pool");

pub const DATABASE_CLOCK_OFFSET_SECONDS: Metric = Metric::gauge(
    "streamtally_database_clock_offset_seconds",
    Unit::Seconds,
    "Clock of the database minus clock of the service",
);

pub const LOG_AHEAD_SECONDS: Metric = Metric::gauge(
    "streamtally_log_ahead_seconds",
    Unit::Seconds,
    "How far the newest event of the log is ahead of the clock of the service; otherwise 0",
);

pub const CALLBACKS: Metric =
    Metric::counter("streamtally_callbacks_total", Unit::Count, "Callbacks received, by outcome and cause");

pub const KEPT_REJECTIONS: Metric =
    Metric::gauge("streamtally_kept_rejections", Unit::Count, "Rejected callbacks that are kept and can be retried");

pub const KEPT_REJECTION_BYTES: Metric =
    Metric::gauge("streamtally_kept_rejection_bytes", Unit::Bytes, "Space that kept rejections use");

pub const KEPT_REJECTION_CAPACITY_BYTES: Metric =
    Metric::gauge("streamtally_kept_rejection_capacity_bytes", Unit::Bytes, "Maximum space of kept rejections");

pub const REJECTIONS_NOT_KEPT: Metric = Metric::counter(
    "streamtally_rejections_not_kept_total",
    Unit::Count,
    "Rejected callbacks that could not be kept for a retry, by cause and by the kind of domain that they claim",
);

pub const RETRIED_CALLBACKS: Metric = Metric::counter(
    "streamtally_retried_callbacks_total",
    Unit::Count,
    "Kept rejections that a retry admitted, by disposition",
);

pub const CALLBACK_ANSWER_SECONDS: Metric = Metric::histogram(
    "streamtally_callback_answer_seconds",
    Unit::Seconds,
    STATEMENT_SECONDS,
    "Time from the receipt of a callback to its response, by outcome",
);

pub const SIGNATURE_REMAINING_SECONDS: Metric = Metric::histogram(
    "streamtally_signature_remaining_seconds",
    Unit::Seconds,
    REMAINING_SECONDS,
    "Time from the receipt of an authenticated callback to the expiry of its signature; negative if expired",
);

pub const APPEND_SECONDS: Metric = Metric::histogram(
    "streamtally_append_seconds",
    Unit::Seconds,
    STATEMENT_SECONDS,
    "Duration of one commit of received callbacks",
);

pub const APPEND_ENTRIES: Metric =
    Metric::histogram("streamtally_append_entries", Unit::Count, BATCH, "Received callbacks per commit");

pub const SPOOL_MESSAGES: Metric = Metric::gauge("streamtally_spool_messages", Unit::Count, "Callbacks in the spool");

pub const SPOOL_BYTES: Metric = Metric::gauge("streamtally_spool_bytes", Unit::Bytes, "Spool size on disk");

pub const SPOOL_CAPACITY_BYTES: Metric =
    Metric::gauge("streamtally_spool_capacity_bytes", Unit::Bytes, "Maximum spool size");

pub const SPOOL_REJECTED_MESSAGES: Metric = Metric::gauge(
    "streamtally_spool_rejected_messages",
    Unit::Count,
    "Callbacks set aside because the database rejected them",
);

pub const SPOOL_DAMAGED_FILES: Metric = Metric::gauge(
    "streamtally_spool_damaged_files",
    Unit::Count,
    "Damaged files of the local store that were set aside",
);

pub const SPOOL_LOST_MESSAGES: Metric = Metric::gauge(
    "streamtally_spool_lost_messages",
    Unit::Count,
    "Confirmed callbacks that were lost in damaged files",
);

pub const DRAINED_MESSAGES: Metric = Metric::counter(
    "streamtally_drained_messages_total",
    Unit::Count,
    "Spooled callbacks drained, by outcome and cause",
);

pub const FOLD_LAG_ENTRIES: Metric =
    Metric::gauge("streamtally_fold_lag_entries", Unit::Count, "Events of the log that are not folded yet");

pub const FOLD_LAG_SECONDS: Metric = Metric::gauge(
    "streamtally_fold_lag_seconds",
    Unit::Seconds,
    "Age of the oldest event that is not folded yet; 0 if all are folded",
);

pub const LIVE_STREAMS: Metric =
    Metric::gauge("streamtally_live_streams", Unit::Count, "Streams with at least one live session");

pub const LIVE_SESSIONS: Metric = Metric::gauge("streamtally_live_sessions", Unit::Count, "Live sessions");

pub const UNCONFIRMED_SESSIONS: Metric = Metric::gauge(
    "streamtally_unconfirmed_sessions",
    Unit::Count,
    "Live sessions that started and were confirmed longer ago than --unconfirmed-after",
);

pub const INFERRED_ENDS: Metric = Metric::counter(
    "streamtally_inferred_ends_total",
    Unit::Count,
    "Session ends inferred without a callback, by kind",
);

pub const QUARANTINE_WAITING_MESSAGES: Metric = Metric::gauge(
    "streamtally_quarantine_waiting_messages",
    Unit::Count,
    "Quarantined callbacks of the last 7 days that are not released, by reason; counted up to 1000 in total",
);

pub const RELEASED_MESSAGES: Metric = Metric::counter(
    "streamtally_released_messages_total",
    Unit::Count,
    "Quarantined callbacks that operators released by this process, by reason",
);

pub const NEVER_HEARD_DOMAINS: Metric = Metric::gauge(
    "streamtally_never_heard_domains",
    Unit::Count,
    "Domains registered more than an hour ago without any event in the log",
);

pub const REPORT_SECONDS_BY_KIND: Metric = Metric::histogram(
    "streamtally_report_seconds",
    Unit::Seconds,
    REPORT_SECONDS,
    "Duration of a report until its last row, by kind",
);

pub const WEBHOOKS: Metric = Metric::gauge("streamtally_webhooks", Unit::Count, "Webhooks, by state");

pub const WEBHOOK_LAG_SECONDS: Metric = Metric::gauge(
    "streamtally_webhook_lag_seconds",
    Unit::Seconds,
    "Age of the oldest event that an enabled webhook has neither sent nor recorded as failed; 0 if there is none",
);

pub const WEBHOOK_ATTEMPT_SECONDS: Metric = Metric::histogram(
    "streamtally_webhook_attempt_seconds",
    Unit::Seconds,
    ATTEMPT_SECONDS,
    "Duration of an attempt to deliver an event, by the kind of webhook and outcome",
);

pub const RELAY_BYTES: Metric =
    Metric::gauge("streamtally_relay_bytes", Unit::Bytes, "Space that callbacks kept for relays use");

pub const RELAY_CAPACITY_BYTES: Metric =
    Metric::gauge("streamtally_relay_capacity_bytes", Unit::Bytes, "Maximum space of callbacks kept for relays");

pub const RELAY_DROPPED: Metric = Metric::counter(
    "streamtally_relay_dropped_total",
    Unit::Count,
    "Callbacks that were deleted before they were relayed, by cause",
);

pub const POLLS: Metric =
    Metric::counter("streamtally_polls_total", Unit::Count, "Readings of the provider's list of a domain, by outcome");

pub const POLL_SECONDS: Metric = Metric::histogram(
    "streamtally_poll_seconds",
    Unit::Seconds,
    ATTEMPT_SECONDS,
    "Duration of reading the provider's list of a domain",
);

pub const POLL_FINDINGS: Metric = Metric::counter(
    "streamtally_poll_findings_total",
    Unit::Count,
    "What the provider's lists show of sessions, by kind and by the domain's mode; in the mode observe they change nothing",
);

pub const POLL_START_DIFFERENCE_SECONDS: Metric = Metric::histogram(
    "streamtally_poll_start_difference_seconds",
    Unit::Seconds,
    ATTEMPT_SECONDS,
    "Difference between the start of a push in the provider's list and in its callbacks",
);

pub const POLL_LAST_COMPLETE_SECONDS: Metric = Metric::gauge(
    "streamtally_poll_last_complete_seconds",
    Unit::Seconds,
    "Longest time since the last complete list of a polled domain; 0 if none is polled",
);

pub const POLL_MASS_ABSENCES: Metric = Metric::gauge(
    "streamtally_poll_mass_absences",
    Unit::Count,
    "Polled domains of which many sessions disappeared from the provider's list at once",
);

pub const POLL_ACCOUNTS_RESTING: Metric = Metric::gauge(
    "streamtally_poll_accounts_resting",
    Unit::Count,
    "Provider accounts with which requests are paused, because the provider rejected or throttled them",
);

pub const PROVIDER_CLOCK_SKEW_SECONDS: Metric = Metric::gauge(
    "streamtally_provider_clock_skew_seconds",
    Unit::Seconds,
    "How far the provider's clock is ahead of the service's; it rejects requests from 15 minutes on",
);

/// Every metric.
pub const ALL: [&Metric; 52] = [
    &BUILD_INFO,
    &PART_READY,
    &CERTIFICATE_EXPIRY,
    &CERTIFICATE_RENEWAL_OVERDUE,
    &CONNECTIONS,
    &CONNECTIONS_MAX,
    &REFUSED_CONNECTIONS,
    &POOL_CONNECTIONS,
    &POOL_CONNECTIONS_MAX,
    &DATABASE_CLOCK_OFFSET_SECONDS,
    &LOG_AHEAD_SECONDS,
    &CALLBACKS,
    &KEPT_REJECTIONS,
    &KEPT_REJECTION_BYTES,
    &KEPT_REJECTION_CAPACITY_BYTES,
    &REJECTIONS_NOT_KEPT,
    &RETRIED_CALLBACKS,
    &CALLBACK_ANSWER_SECONDS,
    &SIGNATURE_REMAINING_SECONDS,
    &APPEND_SECONDS,
    &APPEND_ENTRIES,
    &SPOOL_MESSAGES,
    &SPOOL_BYTES,
    &SPOOL_CAPACITY_BYTES,
    &SPOOL_REJECTED_MESSAGES,
    &SPOOL_DAMAGED_FILES,
    &SPOOL_LOST_MESSAGES,
    &DRAINED_MESSAGES,
    &FOLD_LAG_ENTRIES,
    &FOLD_LAG_SECONDS,
    &LIVE_STREAMS,
    &LIVE_SESSIONS,
    &UNCONFIRMED_SESSIONS,
    &INFERRED_ENDS,
    &QUARANTINE_WAITING_MESSAGES,
    &RELEASED_MESSAGES,
    &NEVER_HEARD_DOMAINS,
    &REPORT_SECONDS_BY_KIND,
    &WEBHOOKS,
    &WEBHOOK_LAG_SECONDS,
    &WEBHOOK_ATTEMPT_SECONDS,
    &RELAY_BYTES,
    &RELAY_CAPACITY_BYTES,
    &RELAY_DROPPED,
    &POLLS,
    &POLL_SECONDS,
    &POLL_FINDINGS,
    &POLL_START_DIFFERENCE_SECONDS,
    &POLL_LAST_COMPLETE_SECONDS,
    &POLL_MASS_ABSENCES,
    &POLL_ACCOUNTS_RESTING,
    &PROVIDER_CLOCK_SKEW_SECONDS,
];

impl Metric {
    const fn counter(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Self { name, kind: MetricType::Counter, unit, help }
    }

    const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Self { name, kind: MetricType::Gauge, unit, help }
    }

    const fn histogram(name: &'static str, unit: Unit, buckets: &'static [f64], help: &'static str) -> Self {
        Self { name, kind: MetricType::Histogram(buckets), unit, help }
    }

    /// The counter with these labels, exported from now on. The lookup is slow: cache the counter where every callback uses it.
    ///
    /// # Panics
    /// The metric is not a counter.
    pub fn counter_of(&self, labels: Labels<'_>) -> Counter {
        assert!(matches!(self.kind, MetricType::Counter), "{} is not a counter", self.name);
        counter!(self.name, labels)
    }

    /// The gauge with these labels, exported from now on.
    ///
    /// # Panics
    /// The metric is not a gauge.
    pub fn gauge_of(&self, labels: Labels<'_>) -> Gauge {
        assert!(matches!(self.kind, MetricType::Gauge), "{} is not a gauge", self.name);
        gauge!(self.name, labels)
    }

    /// The histogram with these labels, exported from now on. The lookup is slow, as above.
    ///
    /// # Panics
    /// The metric is not a histogram.
    pub fn histogram_of(&self, labels: Labels<'_>) -> Histogram {
        assert!(matches!(self.kind, MetricType::Histogram(_)), "{} is not a histogram", self.name);
        histogram!(self.name, labels)
    }

    fn describe(&self) {
        match self.kind {
            MetricType::Counter => describe_counter!(self.name, self.unit, self.help),
            MetricType::Gauge => describe_gauge!(self.name, self.unit, self.help),
            MetricType::Histogram(_) => describe_histogram!(self.name, self.unit, self.help),
        }
    }
}

/// Configures the buckets of histograms.
pub(super) fn builder() -> Result<PrometheusBuilder, BuildError> {
    ALL.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        MetricType::Histogram(buckets) => {
            builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
        }
        MetricType::Counter | MetricType::Gauge => Ok(builder),
    })
}

/// Registers the help texts with the installed recorder.
pub(super) fn describe_all() {
    for metric in ALL {
        metric.describe();
    }
}
