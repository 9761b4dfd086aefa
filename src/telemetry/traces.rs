//! Traces: sends the spans of requests to a collector by OTLP over HTTP, if the settings name one.
//!
//! The function `for_export` decides what leaves the process: method, route pattern, status, request id and times. No
//! other attribute is exported, so no name, address or secret can leak. Callbacks have no spans, which would slow
//! receiving.
//!
//! A collector that does not respond costs only its spans: they wait in a bounded queue, are sent by a separate thread,
//! and are dropped when the queue is full.

use std::borrow::Cow;
use std::future::ready;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use anyhow::Context;
use bytes::Bytes;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry::{KeyValue, Value};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData};
use reqwest::{Client, Url, redirect};
use tokio::runtime::Handle;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The name of request spans, the only spans that are exported.
pub const REQUEST: &str = "request";

/// How long sending the last spans may take when the service stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Timeout of connecting and of the response. Spans that are not accepted by then are dropped.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Set when spans are exported; otherwise work that only they need is skipped.
static EXPORTING: OnceLock<()> = OnceLock::new();

/// Exports spans.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Prepares to send spans to the collector at this base address, to which OTLP's path is added. The collector need
    /// not be reachable yet.
    ///
    /// These variables of OpenTelemetry are respected, too: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`,
    /// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, and those of its batches, `OTEL_BSP_…`.
    ///
    /// # Errors
    /// When no client can be created, or a variable is invalid.
    pub fn open(collector: &Url) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(EXPORT_TIMEOUT).redirect(redirect::Policy::none()).build()?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Poster { client, runtime: Handle::current() })
            .with_protocol(Protocol::HttpBinary)
            .with_retry_policy(RetryPolicy::disabled())
            .with_endpoint(format!("{}/v1/traces", collector.as_str().trim_end_matches('/')))
            .build()
            .context("cannot set up the export of traces")?;
        let exporter = Exporter { exporter, failing: AtomicBool::new(false) };
        let named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
        let resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let resource = if named { resource } else { resource.with_service_name("streamtally") };
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        EXPORTING.get_or_init(|| ());
        Ok(Self { provider })
    }

    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("streamtally")
    }

    /// Sends the remaining spans, for some seconds at most.
    pub async fn close(self) {
        let closed = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
        if let Ok(Err(error)) = closed {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

/// Makes a request's span part of the trace in its header `traceparent`.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    if EXPORTING.get().is_some() {
        // Fails only without a layer for traces; then there is no trace to continue.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&TraceParent(headers)));
    }
}

/// Of the two W3C headers only the one of fixed form; `tracestate` may contain anything.
struct TraceParent<'a>(&'a HeaderMap);

const TRACE_PARENT: &str = "traceparent";

impl Extractor for TraceParent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACE_PARENT).then(|| self.0.get(TRACE_PARENT)?.to_str().ok()).flatten()
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACE_PARENT]
    }
}

/// Keeps only the attributes that may leave, renamed to OpenTelemetry's conventions.
fn for_export(span: SpanData) -> SpanData {
    let value = |name: &str| {
        let attribute = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
        attribute.map(|attribute| attribute.value.clone())
    };
    let text = |name: &str| value(name).map_or(Cow::Borrowed("?"), |value| Cow::Owned(value.to_string()));
    let name = format!("{} {}", text("method"), text("route"));
    let failed = matches!(value("status"), Some(Value::I64(500..)));
    let names = [
        ("method", "http.request.method"),
        ("route", "http.route"),
        ("status", "http.response.status_code"),
        ("request_id", "streamtally.request_id"),
    ];
    let attributes = names.into_iter().filter_map(|(ours, theirs)| Some(KeyValue::new(theirs, value(ours)?))).collect();
    SpanData {
        name: name.into(),
        span_kind: SpanKind::Server,
        status: if failed { Status::error("") } else { Status::Unset },
        attributes,
        events: opentelemetry_sdk::trace::SpanEvents::default(),
        links: opentelemetry_sdk::trace::SpanLinks::default(),
        ..span
    }
}

/// Filters and sends spans. Logs once when sending fails, and once when it works again.
#[derive(Debug)]
struct Exporter {
    exporter: SpanExporter,
    failing: AtomicBool,
}

impl opentelemetry_sdk::trace::SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch.into_iter().map(for_export).collect()).await;
        let was_failing = self.failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !was_failing => tracing::warn!(
                %error,
                "could not send traces to the collector; they are dropped, and nothing else is affected: check \
                 --otlp-endpoint"
            ),
            Ok(()) if was_failing => tracing::info!("sending traces to the collector again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Posts requests on the service's runtime for the exporter's own thread, which has none.
#[derive(Debug)]
struct Poster {
    client: Client,
    runtime: Handle,
}

type Posted<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Poster {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Posted<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let request = match reqwest::Request::try_from(request) {
            Ok(request) => request,
            Err(error) => return Box::pin(ready(Err(error.into()))),
        };
        let client = self.client.clone();
        let executed = self.runtime.spawn(async move { client.execute(request).await });
        Box::pin(async move {
            let answer = executed.await?.map_err(reqwest::Error::without_url)?;
            // Only the collector's status matters.
            Ok(Response::builder().status(answer.status()).body(Bytes::new())?)
        })
    }
}
