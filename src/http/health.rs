//! What machines ask of the service itself: is it alive, can it work, how does it do.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::TimeDelta;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::state::AppState;
use crate::config::Role;
use crate::event_log::spool::Fill;
use crate::reconciler::database_clock::ClockReading;
use crate::store;

/// How long the database may take for a sign of life.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the service can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether every part can.
    ready: bool,
    /// The parts.
    parts: Vec<HealthCheck>,
}

/// Whether one part can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthCheck {
    /// The part: `database`, `clock`, `folding` or `spool`, as far as this process needs them.
    #[schema(example = "spool")]
    pub(crate) name: &'static str,
    /// Whether it can.
    pub(crate) ready: bool,
    /// How it is, for people.
    #[schema(example = "in use: 1204 messages, 0.9 of 1024.0 MiB")]
    pub(crate) state: String,
}

/// Whether the process lives
///
/// Asks nothing else: neither the database nor the parts.
#[utoipa::path(
    tag = "service",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain", example = "ok\n")),
    security(()),
)]
#[get("/healthz")]
pub async fn get_health() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Whether the service can do its work
///
/// A process that only receives can do so while the database is away, as long as its spool has room.
#[utoipa::path(
    tag = "service",
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "Some part cannot", body = Readiness),
    ),
    security(()),
)]
#[get("/readyz")]
pub async fn get_readiness(state: Data<AppState>) -> HttpResponse {
    let parts = inspect(&state).await;
    let ready = parts.iter().all(|part| part.ready);
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Readiness { ready, parts })
}

/// The parts of this process, and how they are.
pub(crate) async fn inspect(state: &AppState) -> Vec<HealthCheck> {
    let mut parts = Vec::new();
    let answers = matches!(timeout(PATIENCE, store::partition::get_database_time(&state.work_pool)).await, Ok(Ok(_)));
    if state.roles.iter().any(|role| matches!(role, Role::Reconciler | Role::Api)) {
        parts.push(database(answers));
        let clocks = if answers { timeout(PATIENCE, ClockReading::take(&state.work_pool)).await.ok() } else { None };
        parts.push(clock(clocks.and_then(Result::ok), state.clock_tolerance));
    }
    if state.roles.contains(&Role::Reconciler) {
        parts.push(folding(state));
    }
    parts.extend(state.spool.as_ref().map(|spool| of_spool(spool.fill(), answers)));
    parts
}

fn database(ready: bool) -> HealthCheck {
    HealthCheck { name: "database", ready, state: if ready { "answers" } else { "does not answer" }.to_owned() }
}

/// While the clocks cannot be compared, the part `database` says so.
fn clock(clocks: Option<ClockReading>, tolerance: TimeDelta) -> HealthCheck {
    let checked = clocks.map(|clocks| clocks.check(tolerance));
    let state = match checked {
        Some(Ok(())) => "agrees with the database's".to_owned(),
        Some(Err(error)) => error.to_string(),
        None => "not compared with the database's".to_owned(),
    };
    HealthCheck { name: "clock", ready: !matches!(checked, Some(Err(_))), state }
}

fn folding(state: &AppState) -> HealthCheck {
    let ready = state.folding.load(Ordering::Relaxed);
    HealthCheck { name: "folding", ready, state: if ready { "goes on" } else { "stands still" }.to_owned() }
}

/// That it cannot be written matters only while the database is away.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn of_spool(fill: Fill, database_answers: bool) -> HealthCheck {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let fails = fill.failing && !database_answers;
    let mut words = Vec::new();
    if fill.messages > 0 {
        let (bytes, capacity) = (mebibytes(fill.bytes), mebibytes(fill.capacity_bytes));
        words.push(format!("in use: {} messages, {bytes:.1} of {capacity:.1} MiB", fill.messages));
    } else {
        words.push("empty".to_owned());
    }
    if fails {
        words.push("cannot be written".to_owned());
    }
    if fill.refused_messages > 0 {
        words.push(format!("{} messages kept aside that the database refuses", fill.refused_messages));
    }
    if fill.damaged_files > 0 {
        let Fill { damaged_files, lost_messages, .. } = fill;
        words.push(format!("damaged: {lost_messages} messages lost, {damaged_files} files set aside"));
    }
    HealthCheck { name: "spool", ready: fill.has_room() && !fails, state: words.join("; ") }
}

/// Metrics in Prometheus' text format
///
/// Counters, gauges and histograms of this process alone, as its roles have it. `docs/metrics.md` says what each is for.
#[utoipa::path(
    tag = "service",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain", example = "streamtally_spool_messages 0\n")),
    security(()),
)]
#[get("/metrics")]
pub async fn get_metrics(state: Data<AppState>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.metrics.render())
}
