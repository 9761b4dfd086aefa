//! Every metric of the service: its name, kind, unit, help and buckets stand here, and nowhere else. `docs/metrics.md`
//! tells operators what each is for.
//!
//! A metric is served by the processes that do what it is about. There are few label values, all of them ours: none is ever
//! what a caller wrote (a domain, an application, a stream, an address), so that nobody can make more of them.

use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Names of labels, and their values.
pub type Labels<'a> = &'a [(&'static str, &'static str)];

/// A metric.
#[derive(Debug)]
pub struct Metric {
    name: &'static str,
    kind: Kind,
    unit: Unit,
    help: &'static str,
}

#[derive(Debug)]
enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// How long the database takes for little.
const STATEMENT_SECONDS: &[f64] = &[0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// How long reports take.
const REPORT_SECONDS: &[f64] = &[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0];

/// How many messages one commit holds.
const BATCH: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0];

/// What tells whether an expiry is when the message was sent, or so long after: round numbers of seconds end up in a bucket
/// of their own, as a message takes a moment to arrive.
const REMAINING_SECONDS: &[f64] = &[
    -3_600.0, -600.0, -60.0, -10.0, -2.0, -1.0, 0.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1_800.0, 3_600.0,
    86_400.0, 604_800.0,
];

/// The version that runs.
pub const BUILD_INFO: Metric = Metric::gauge("streamtally_build_info", Unit::Count, "Always 1; the version is a label");

/// Whether a part can do its work, as `/readyz` says.
pub const PART_READY: Metric =
    Metric::gauge("streamtally_part_ready", Unit::Count, "Whether a part of this process can do its work");

/// When the certificate expires.
pub const CERTIFICATE_EXPIRY: Metric = Metric::gauge(
    "streamtally_certificate_expiry_timestamp_seconds",
    Unit::Seconds,
    "Unix second at which the certificate that is served expires",
);

/// Whether that is near.
pub const CERTIFICATE_RENEWAL_OVERDUE: Metric = Metric::gauge(
    "streamtally_certificate_renewal_overdue",
    Unit::Count,
    "Whether the certificate that is served has expired or will soon",
);

/// Connections of callers that are open.
pub const CONNECTIONS: Metric =
    Metric::gauge("streamtally_connections", Unit::Count, "Connections that callers have open");

/// How many there may be.
pub const CONNECTIONS_MAX: Metric =
    Metric::gauge("streamtally_connections_max", Unit::Count, "How many connections callers may have open");

/// Those that were closed unread.
pub const REFUSED_CONNECTIONS: Metric = Metric::counter(
    "streamtally_refused_connections_total",
    Unit::Count,
    "Connections closed unread because their address had too many",
);

/// Connections to the database that are open.
pub const POOL_CONNECTIONS: Metric =
    Metric::gauge("streamtally_pool_connections", Unit::Count, "Open connections to the database, by pool and state");

/// How many there may be.
pub const POOL_CONNECTIONS_MAX: Metric =
    Metric::gauge("streamtally_pool_connections_max", Unit::Count, "How many connections a pool may open");

/// By how much the database's clock is ahead.
pub const DATABASE_CLOCK_OFFSET_SECONDS: Metric = Metric::gauge(
    "streamtally_database_clock_offset_seconds",
    Unit::Seconds,
    "By how much the database's clock is ahead of the service's; negative when it is behind",
);

/// By how much the log is ahead.
pub const LOG_AHEAD_SECONDS: Metric = Metric::gauge(
    "streamtally_log_ahead_seconds",
    Unit::Seconds,
    "By how much the newest event of the log is recorded ahead of the service's clock; 0 when it is not",
);

/// What became of callbacks.
pub const CALLBACKS: Metric =
    Metric::counter("streamtally_callbacks_total", Unit::Count, "Callbacks received, by outcome and cause");

/// How long their senders waited.
pub const CALLBACK_ANSWER_SECONDS: Metric = Metric::histogram(
    "streamtally_callback_answer_seconds",
    Unit::Seconds,
    STATEMENT_SECONDS,
    "From the receipt of a callback to its answer, by outcome",
);

/// What the provider's `auth_timestamp` is.
pub const SIGNATURE_REMAINING_SECONDS: Metric = Metric::histogram(
    "streamtally_signature_remaining_seconds",
    Unit::Seconds,
    REMAINING_SECONDS,
    "From the receipt of a verified message to its signature's expiry; negative when that had passed",
);

/// How long commits take.
pub const APPEND_SECONDS: Metric = Metric::histogram(
    "streamtally_append_seconds",
    Unit::Seconds,
    STATEMENT_SECONDS,
    "How long one commit of received messages took",
);

/// How many messages go into one.
pub const APPEND_ENTRIES: Metric =
    Metric::histogram("streamtally_append_entries", Unit::Count, BATCH, "How many received messages one commit held");

/// What waits on disk.
pub const SPOOL_MESSAGES: Metric =
    Metric::gauge("streamtally_spool_messages", Unit::Count, "Messages that wait on disk for the database");

/// The room that it takes.
pub const SPOOL_BYTES: Metric =
    Metric::gauge("streamtally_spool_bytes", Unit::Bytes, "Room that waiting messages take");

/// The room that there is for it.
pub const SPOOL_CAPACITY_BYTES: Metric =
    Metric::gauge("streamtally_spool_capacity_bytes", Unit::Bytes, "Room that waiting messages may take");

/// What the database would not have.
pub const SPOOL_REFUSED_MESSAGES: Metric =
    Metric::gauge("streamtally_spool_refused_messages", Unit::Count, "Messages kept aside that the database refused");

/// What damage was found.
pub const SPOOL_DAMAGED_FILES: Metric = Metric::gauge(
    "streamtally_spool_damaged_files",
    Unit::Count,
    "Damaged files of the local store that were set aside",
);

/// What it cost.
pub const SPOOL_LOST_MESSAGES: Metric = Metric::gauge(
    "streamtally_spool_lost_messages",
    Unit::Count,
    "Confirmed messages that are missing in the damaged files that were set aside",
);

/// What waited and does not wait any more.
pub const DRAINED_MESSAGES: Metric = Metric::counter(
    "streamtally_drained_messages_total",
    Unit::Count,
    "Messages that waited on disk and do not any more, by outcome and cause",
);

/// What is not folded.
pub const FOLD_LAG_ENTRIES: Metric =
    Metric::gauge("streamtally_fold_lag_entries", Unit::Count, "Entries of the log that are not folded into sessions");

/// For how long it is not.
pub const FOLD_LAG_SECONDS: Metric = Metric::gauge(
    "streamtally_fold_lag_seconds",
    Unit::Seconds,
    "How long ago the oldest entry that is not folded was recorded; 0 when all are",
);

/// What is on air.
pub const LIVE_STREAMS: Metric =
    Metric::gauge("streamtally_live_streams", Unit::Count, "Streams with at least one live session");

/// In how many pushes.
pub const LIVE_SESSIONS: Metric = Metric::gauge("streamtally_live_sessions", Unit::Count, "Live sessions");

/// What may have lost its end.
pub const UNCONFIRMED_SESSIONS: Metric = Metric::gauge(
    "streamtally_unconfirmed_sessions",
    Unit::Count,
    "Live sessions that began longer ago than --unconfirmed-after",
);

/// Ends that nobody sent.
pub const INFERRED_ENDS: Metric =
    Metric::counter("streamtally_inferred_ends_total", Unit::Count, "Ends that were found without a message, by kind");

/// What waits for an operator.
pub const QUARANTINE_WAITING_MESSAGES: Metric = Metric::gauge(
    "streamtally_quarantine_waiting_messages",
    Unit::Count,
    "Quarantined messages of the last 7 days that nobody has released, by reason; counted up to 1000 in all",
);

/// What may be set up wrongly at the provider.
pub const NEVER_HEARD_DOMAINS: Metric = Metric::gauge(
    "streamtally_never_heard_domains",
    Unit::Count,
    "Domains that were registered more than an hour ago, and of which the log has nothing",
);

/// How long reports took.
pub const REPORT_SECONDS_BY_KIND: Metric = Metric::histogram(
    "streamtally_report_seconds",
    Unit::Seconds,
    REPORT_SECONDS,
    "How long a report took, by kind, to its last row",
);

/// Every metric.
pub const ALL: [&Metric; 32] = [
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
    &CALLBACK_ANSWER_SECONDS,
    &SIGNATURE_REMAINING_SECONDS,
    &APPEND_SECONDS,
    &APPEND_ENTRIES,
    &SPOOL_MESSAGES,
    &SPOOL_BYTES,
    &SPOOL_CAPACITY_BYTES,
    &SPOOL_REFUSED_MESSAGES,
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
    &NEVER_HEARD_DOMAINS,
    &REPORT_SECONDS_BY_KIND,
];

impl Metric {
    const fn counter(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, unit, help }
    }

    const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, unit, help }
    }

    const fn histogram(name: &'static str, unit: Unit, buckets: &'static [f64], help: &'static str) -> Self {
        Self { name, kind: Kind::Histogram(buckets), unit, help }
    }

    /// The counter with these labels, which is served from now on. To look it up takes a while: keep it where it is used
    /// for every callback.
    ///
    /// # Panics
    /// When this is no counter.
    pub fn counter_of(&self, labels: Labels<'_>) -> Counter {
        assert!(matches!(self.kind, Kind::Counter), "{} is not a counter", self.name);
        counter!(self.name, labels)
    }

    /// The gauge with these labels, which is served from now on.
    ///
    /// # Panics
    /// When this is no gauge.
    pub fn gauge_of(&self, labels: Labels<'_>) -> Gauge {
        assert!(matches!(self.kind, Kind::Gauge), "{} is not a gauge", self.name);
        gauge!(self.name, labels)
    }

    /// The histogram with these labels, which is served from now on. To look it up takes a while, as above.
    ///
    /// # Panics
    /// When this is no histogram.
    pub fn histogram_of(&self, labels: Labels<'_>) -> Histogram {
        assert!(matches!(self.kind, Kind::Histogram(_)), "{} is not a histogram", self.name);
        histogram!(self.name, labels)
    }

    fn describe(&self) {
        match self.kind {
            Kind::Counter => describe_counter!(self.name, self.unit, self.help),
            Kind::Gauge => describe_gauge!(self.name, self.unit, self.help),
            Kind::Histogram(_) => describe_histogram!(self.name, self.unit, self.help),
        }
    }
}

/// What renders all of them, histograms with their buckets.
pub(super) fn builder() -> Result<PrometheusBuilder, BuildError> {
    ALL.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(buckets) => builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets),
        Kind::Counter | Kind::Gauge => Ok(builder),
    })
}

/// Says what each is, to the recorder that is installed.
pub(super) fn describe_all() {
    for metric in ALL {
        metric.describe();
    }
}
