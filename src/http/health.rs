//! Health, readiness and metrics of the service.

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
use crate::model::closed_set;
use crate::reconciler::database_clock::ClockReading;
use crate::store;

const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Readiness of the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether every part is ready.
    ready: bool,
    /// The parts that this process needs.
    parts: Vec<HealthCheck>,
}

closed_set! {
    /// A part of the service.
    pub enum ServicePart {
        Database,
        Clock,
        Folding,
        Spool,
    }
}

/// Readiness of one part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Part)]
pub struct HealthCheck {
    /// The part: `database`, `clock`, `folding` or `spool`.
    #[schema(value_type = String, example = "spool")]
    pub(crate) name: ServicePart,
    /// Whether the part is ready.
    pub(crate) ready: bool,
    /// Its state, as human-readable text.
    #[schema(example = "in use: 1204 callbacks, 0.9 of 1024.0 MiB")]
    pub(crate) state: String,
}

/// Check liveness
///
/// Answers while the process runs. Does not check the database or any part.
#[utoipa::path(
    tag = "service",
    responses((status = 200, description = "The process runs", body = String, content_type = "text/plain", example = "ok\n")),
    security(()),
)]
#[get("/healthz")]
pub async fn get_health() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Check readiness
///
/// A process with only the receiver role is ready while the database is unreachable, as long as its spool has room.
#[utoipa::path(
    tag = "service",
    responses(
        (status = 200, description = "Every part is ready", body = Readiness),
        (status = 503, description = "Some part is not ready", body = Readiness),
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

pub(crate) async fn inspect(state: &AppState) -> Vec<HealthCheck> {
    let mut parts = Vec::new();
    let reachable =
        matches!(timeout(DATABASE_TIMEOUT, store::partition::get_database_time(&state.work_pool)).await, Ok(Ok(_)));
    if state.roles.iter().any(|role| matches!(role, Role::Reconciler | Role::Api)) {
        parts.push(database(reachable));
        let clocks =
            if reachable { timeout(DATABASE_TIMEOUT, ClockReading::take(&state.work_pool)).await.ok() } else { None };
        parts.push(clock(clocks.and_then(Result::ok), state.clock_tolerance));
    }
    if state.roles.contains(&Role::Reconciler) {
        parts.push(folding(state));
    }
    parts.extend(state.spool.as_ref().map(|spool| spool_part(spool.fill(), reachable)));
    parts
}

fn database(ready: bool) -> HealthCheck {
    HealthCheck {
        name: ServicePart::Database,
        ready,
        state: if ready { "reachable" } else { "unreachable" }.to_owned(),
    }
}

/// Reports ready while the clocks cannot be compared: in that case, `database` is not ready.
fn clock(clocks: Option<ClockReading>, tolerance: TimeDelta) -> HealthCheck {
    let checked = clocks.map(|clocks| clocks.check(tolerance));
    let state = match checked {
        Some(Ok(())) => "in sync with the database".to_owned(),
        Some(Err(error)) => error.to_string(),
        None => "not compared with the database".to_owned(),
    };
    HealthCheck { name: ServicePart::Clock, ready: !matches!(checked, Some(Err(_))), state }
}

fn folding(state: &AppState) -> HealthCheck {
    let ready = state.folding.load(Ordering::Relaxed);
    HealthCheck { name: ServicePart::Folding, ready, state: if ready { "running" } else { "stalled" }.to_owned() }
}

/// A spool that is not writable matters only while the database is unreachable.
#[expect(clippy::cast_precision_loss, reason = "only displayed")]
fn spool_part(fill: Fill, database_reachable: bool) -> HealthCheck {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let fails = fill.failing && !database_reachable;
    let mut states = Vec::new();
    if fill.messages > 0 {
        let (bytes, capacity) = (mebibytes(fill.bytes), mebibytes(fill.capacity_bytes));
        states.push(format!("in use: {} callbacks, {bytes:.1} of {capacity:.1} MiB", fill.messages));
    } else {
        states.push("empty".to_owned());
    }
    if fails {
        states.push("not writable".to_owned());
    }
    if fill.rejected_messages > 0 {
        states.push(format!("{} callbacks were rejected by the database and set aside", fill.rejected_messages));
    }
    if fill.damaged_files > 0 {
        let Fill { damaged_files, lost_messages, .. } = fill;
        states.push(format!("damaged: {lost_messages} callbacks lost, {damaged_files} files set aside"));
    }
    HealthCheck { name: ServicePart::Spool, ready: fill.has_room() && !fails, state: states.join("; ") }
}

/// Get metrics
///
/// Counters, gauges and histograms of this process in the Prometheus text format. `docs/metrics.md` describes each.
#[utoipa::path(
    tag = "service",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain", example = "streamtally_spool_messages 0\n")),
    security(()),
)]
#[get("/metrics")]
pub async fn get_metrics(state: Data<AppState>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.metrics.render())
}
