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
        .context("--log cannot be read; write a level such as info, or directives such as info,streamtally=debug")?;
    match traces {
        None => registry().with(filter).with(lines(format)).try_init(),
        // What is logged has nothing to do with what is traced.
        Some(traces) => {
            let spans = tracing_opentelemetry::layer()
                .with_tracer(traces.tracer())
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_context_activation(false)
                .with_filter(filter_fn(is_request));
            // But for this: the span that is there for traces has the request's id for every line within it.
            let lines = lines(format).with_filter(filter.or(filter_fn(is_request)));
            registry().with(lines).with(spans).try_init()
        }
    }
    .context("logging was started before")
}

/// Whether this is the span of a request.
fn is_request(what: &Metadata<'_>) -> bool {
    what.is_span() && what.name() == traces::REQUEST && what.target().starts_with("streamtally")
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    // What cannot be written is lost: to say so on standard error would panic when nobody reads that any more.
    let lines =
        fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).log_internal_errors(false);
    match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// Makes the recorder of this process's metrics, and what renders them.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = metrics::builder()?.install_recorder().context("metrics were started before")?;
    metrics::describe_all();
    Ok(handle)
}

/// Lets one of many alike log lines through each second.
#[derive(Debug)]
pub struct OnceASecond(AtomicI64);

impl OnceASecond {
    /// Due at once.
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
