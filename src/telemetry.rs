//! Log lines and metrics.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context;
use chrono::{DateTime, Utc};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// Starts logging to standard error.
///
/// # Errors
/// When the filter cannot be read, or logging was started before.
pub fn start_logging(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .context("--log cannot be read; write a level such as info, or directives such as info,streamtally=debug")?;
    let colours = std::io::stderr().is_terminal();
    // What cannot be written is lost: to say so on standard error would panic when nobody reads that any more.
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours).log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Pretty => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .context("logging was started before")
}

/// Makes the recorder of this process's metrics, and what renders them.
///
/// # Errors
/// When there is a recorder already.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("streamtally_append_seconds".to_owned()),
            &[0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0],
        )?
        .set_buckets_for_metric(
            Matcher::Full("streamtally_append_entries".to_owned()),
            &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0],
        )?
        .install_recorder()
        .context("metrics were started before")?;
    describe_counter!("streamtally_callbacks_total", "Callbacks received, by outcome and cause");
    describe_histogram!("streamtally_append_seconds", Unit::Seconds, "How long one commit of received messages took");
    describe_histogram!("streamtally_append_entries", "How many received messages one commit held");
    describe_counter!("streamtally_inferred_ends_total", "Ends that were found without a message");
    describe_gauge!("streamtally_spool_messages", "Messages that wait on disk for the database");
    describe_gauge!("streamtally_spool_bytes", Unit::Bytes, "Room that waiting messages take");
    describe_gauge!("streamtally_spool_capacity_bytes", Unit::Bytes, "Room that waiting messages may take");
    describe_gauge!("streamtally_spool_refused_messages", "Messages kept aside that the database refused");
    describe_counter!("streamtally_drained_messages_total", "Messages that waited and are in the log by now");
    Ok(handle)
}

/// Lets one of many alike log lines through each second.
#[derive(Debug)]
pub struct OnceASecond(AtomicI64);

impl OnceASecond {
    /// Due at once.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// Whether a line is due at `now`; says so once a second.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.0.swap(now.timestamp(), Ordering::Relaxed) != now.timestamp()
    }
}

impl Default for OnceASecond {
    fn default() -> Self {
        Self::new()
    }
}
