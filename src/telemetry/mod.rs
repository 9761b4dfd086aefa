//! Log lines, metrics, and traces.

pub(crate) mod metrics;
pub(crate) mod request_id;
pub(crate) mod traces;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context;
use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use traces::Traces;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error, and tracing if traces go anywhere.
pub fn start_logging(format: LogFormat, filter: &str, traces: Option<&Traces>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .context("--log is invalid; write a level such as info, or directives such as info,streamtally=debug")?;
    match traces {
        None => registry().with(filter).with(lines(format)).try_init(),
        // The log filter does not apply to traces.
        Some(traces) => {
            let spans = tracing_opentelemetry::layer()
                .with_tracer(traces.tracer())
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_context_activation(false)
                .with_filter(filter_fn(is_request));
            // One exception: the request's span, which exists for traces, adds the request id to every line within it.
            let lines = lines(format).with_filter(filter.or(filter_fn(is_request)));
            registry().with(lines).with(spans).try_init()
        }
    }
    .context("logging has already started")
}

/// Whether this is the span of a request.
fn is_request(what: &Metadata<'_>) -> bool {
    what.is_span() && what.name() == traces::REQUEST && what.target().starts_with("streamtally")
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    // A line that cannot be written is lost: reporting that on standard error would panic when its reader is gone.
    let lines =
        fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).log_internal_errors(false);
    match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// Installs the metrics recorder of this process, and returns the handle that renders its metrics.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = metrics::builder()?.install_recorder().context("metrics have already started")?;
    metrics::describe_all();
    Ok(handle)
}

/// Rate limit for log lines of one kind: one each second.
#[derive(Debug)]
pub struct OnceASecond(AtomicI64);

impl OnceASecond {
    /// The first line is due at once.
    pub const fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// Whether a line is due at `now`; true once each second.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.0.swap(now.timestamp(), Ordering::Relaxed) != now.timestamp()
    }
}

impl Default for OnceASecond {
    fn default() -> Self {
        Self::new()
    }
}
