//! What machines ask of the service itself: is it alive, can it work, how does it do.

use std::sync::atomic::Ordering;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::state::AppState;
use crate::store;

/// Whether the service can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether every part can.
    ready: bool,
    /// The parts.
    parts: Vec<Part>,
}

/// Whether one part can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Part {
    /// The part.
    #[schema(example = "database")]
    name: &'static str,
    /// Whether it can.
    ready: bool,
}

/// Whether the process lives
#[utoipa::path(
    tag = "service",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")),
    security(()),
)]
#[get("/healthz")]
pub async fn get_health() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Whether the service can do its work
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
    let answered = store::partition::get_database_time(&state.work_pool).await;
    let parts = vec![
        Part { name: "database", ready: answered.is_ok() },
        Part { name: "folding", ready: state.folding.load(Ordering::Relaxed) },
    ];
    let ready = parts.iter().all(|part| part.ready);
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Readiness { ready, parts })
}

/// Metrics in Prometheus' text format
#[utoipa::path(
    tag = "service",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")),
    security(()),
)]
#[get("/metrics")]
pub async fn get_metrics(state: Data<AppState>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.metrics.render())
}
