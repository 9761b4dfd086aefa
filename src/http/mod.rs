//! HTTP: the route table and the shared middleware.
//!
//! One file per resource. A handler parses its inputs, calls one function, and maps the result. The API document is generated
//! from the same route table.

mod audit;
mod broadcasts;
pub(crate) mod caching;
pub(crate) mod callback_metrics;
mod callback_rejections;
pub(crate) mod callbacks;
mod compression;
mod content_encoding;
pub(crate) mod cross_origin;
mod docs_page;
mod document;
pub(crate) mod domains;
mod event_releases;
mod events;
pub(crate) mod external_url;
pub(crate) mod extract;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod kept_rejections;
mod live;
mod live_changes;
pub(crate) mod operator_ends;
pub(crate) mod polls;
pub(crate) mod provider_accounts;
mod rejections;
pub(crate) mod reports;
mod security_headers;
mod session_confirmations;
pub(crate) mod session_file;
mod sessions;
pub(crate) mod sign_in_cookie;
mod streams;
pub(crate) mod tokens;
mod trace;
pub(crate) mod webhooks;

use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse as Answer};
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Compress, Condition, Next, from_fn};
use actix_web::web::{self, Data, PathConfig};
use actix_web::{App, Error, HttpRequest, HttpResponse, Resource, ResponseError, guard};
use tokio::time::timeout;
use tracing_actix_web::TracingLogger;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_actix_web::{AppExt, scope};
use utoipa_swagger_ui::SwaggerUi;

use crate::api::DASHBOARD;
use crate::api::problem::ApiError;
use crate::app::connections::note_activity;
use crate::app::state::AppState;
use crate::config::Role;
use security_headers::add_security_headers;

/// How long a response may take to start. Longer than the timeouts of the body and of the database together.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// The route table of callbacks, with as little middleware as possible.
fn receiving_routes(config: &mut ServiceConfig<'_>, roles: &[Role]) {
    if roles.contains(&Role::Receiver) {
        let other_methods_and_paths =
            web::resource(["/callbacks", "/callbacks/{_:.*}"]).to(callback_rejections::reject_other_requests);
        config
            .service(callbacks::receive_notification)
            .service(callbacks::receive_notification_by_secret_path)
            .map(callbacks::routes_with_a_slash)
            .map(|config| config.service(other_methods_and_paths));
    }
}

/// The route table of everything else.
fn other_routes(config: &mut ServiceConfig<'_>, roles: &[Role]) {
    config.service(health::get_health).service(health::get_readiness).service(health::get_metrics);
    if roles.contains(&Role::Api) {
        config
            .service(live::get_live)
            .service(live_changes::listen_to_changes)
            .service(sessions::list_sessions)
            .service(sessions::get_session)
            .service(sessions::list_session_events)
            .service(operator_ends::end_session)
            .service(session_confirmations::confirm_session)
            .service(streams::list_streams)
            .service(streams::get_stream)
            .service(broadcasts::list_broadcasts)
            .service(events::list_events)
            .service(events::release_event)
            .service(event_releases::release_events)
            .service(rejections::list_rejections)
            .service(kept_rejections::list_kept_rejections)
            .service(kept_rejections::get_kept_rejection)
            .service(kept_rejections::retry_rejections)
            .service(reports::push_duration::report_push_duration)
            .service(reports::counted::list_counted_sessions)
            .service(reports::concurrency::report_concurrency)
            .service(reports::sealed::seal_report)
            .service(reports::sealed::list_sealed_reports)
            .service(reports::sealed::get_sealed_report)
            .service(reports::sealed::delete_sealed_report)
            .service(reports::sealed::list_sealed_report_differences)
            .service(domains::list_domains)
            .service(domains::get_domain)
            .service(domains::put_domain)
            .service(domains::delete_domain)
            .service(domains::add_key)
            .service(domains::delete_key)
            .service(domains::replace_callback_token)
            .service(polls::list_polls)
            .service(polls::list_provider_differences)
            .service(provider_accounts::check_provider)
            .service(provider_accounts::list_provider_accounts)
            .service(provider_accounts::create_provider_account)
            .service(provider_accounts::get_provider_account)
            .service(provider_accounts::put_provider_account)
            .service(provider_accounts::delete_provider_account)
            .service(tokens::list_tokens)
            .service(tokens::create_token)
            .service(tokens::revoke_token)
            .service(webhooks::list_webhooks)
            .service(webhooks::create_webhook)
            .service(webhooks::get_webhook)
            .service(webhooks::put_webhook)
            .service(webhooks::delete_webhook)
            .service(webhooks::replace_webhook_secret)
            .service(webhooks::test_webhook)
            .service(webhooks::deliveries::list_webhook_deliveries)
            .service(webhooks::deliveries::replay_webhook)
            .service(audit::list_audit_entries);
    }
}

/// The document of the whole API, independent of the roles of this process.
#[must_use]
pub fn api_document() -> OpenApi {
    let app = App::new().into_utoipa_app().openapi(document::base());
    let app = app.configure(|config| receiving_routes(config, &Role::ALL));
    let (_, document) = app.configure(|config| other_routes(config, &Role::ALL)).split_for_parts();
    document::complete(document)
}

/// Builds the application without opening a socket. `pages` adds the dashboard.
pub fn build_app(
    state: Data<AppState>,
    roles: &[Role],
    cors_origins: &[String],
    pages: fn(&mut web::ServiceConfig),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Response = Answer<impl MessageBody + use<>>,
        Config = (),
        InitError = (),
        Error = actix_web::Error,
    > + use<>,
> {
    let docs = SwaggerUi::new("/docs/{_:.*}").config(document::viewer());
    let others = scope("")
        .configure(|config| other_routes(config, roles))
        .map(|scope| {
            let has_pages = roles.contains(&Role::Api);
            let scope = if has_pages { scope.service(to_dashboard()).configure(pages) } else { scope };
            scope.configure(|config| docs_page::routes(config, has_pages)).service(docs)
        })
        .default_service(web::to(reject_unknown_path))
        .wrap(from_fn(compression::skip_small_bodies))
        .wrap(Compress::default())
        .wrap(from_fn(compression::choose_encoding))
        .wrap(from_fn(head_and_not_found))
        .wrap(Condition::new(!cors_origins.is_empty(), cross_origin::allow(cors_origins)))
        .wrap(from_fn(cross_origin::cors_for_api_only))
        .wrap(TracingLogger::<trace::RequestSpan>::new());
    App::new()
        .into_utoipa_app()
        .configure(|config| receiving_routes(config, roles))
        .service(others)
        .into_app()
        .app_data(state)
        .app_data(PathConfig::default().error_handler(|_, _| ApiError::NotFound("path").into()))
        .default_service(web::to(reject_unknown_path))
        .wrap(from_fn(limit_response_time))
        .wrap(from_fn(add_security_headers))
        .wrap(from_fn(trace::assign_request_id))
        .wrap(from_fn(note_activity))
}

/// Leads from the bare address of the service to its pages.
fn to_dashboard() -> Resource {
    let redirect = || async { HttpResponse::SeeOther().insert_header((LOCATION, DASHBOARD)).finish() };
    web::resource("/").guard(guard::Get()).to(redirect)
}

/// Handles HEAD as GET without the body, and formats every 404 as a problem, including those from libraries.
async fn head_and_not_found(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let is_head = request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
    }
    let response = next.call(request).await?;
    if is_head && response.response().body().size() == BodySize::Stream {
        // Drop the body: a stream may never end.
        return Ok(response.map_body(|_, _| BoxBody::new(actix_web::body::None::new())).map_into_right_body());
    }
    if response.status() == StatusCode::NOT_FOUND && !response.headers().contains_key(CONTENT_TYPE) {
        return Ok(response.into_response(ApiError::NotFound("path").error_response()).map_into_right_body());
    }
    Ok(response.map_into_left_body())
}

/// Limits the wait for a response to [`RESPONSE_TIMEOUT`], for instance if the database hangs.
async fn limit_response_time<Body: MessageBody>(
    request: ServiceRequest,
    next: Next<Body>,
) -> Result<Answer<Body>, Error> {
    timeout(RESPONSE_TIMEOUT, next.call(request)).await.map_err(|elapsed| ApiError::Unavailable(elapsed.into()))?
}

async fn reject_unknown_path(request: HttpRequest) -> HttpResponse {
    path_error(&request).error_response()
}

/// 405 if the path supports other methods, otherwise 404.
fn path_error(request: &HttpRequest) -> ApiError {
    // Matches the path only: the catch-all route has a pattern, too.
    let pattern = request.resource_map().match_pattern(request.path());
    let methods = pattern.map(|pattern| document::methods_of(&pattern)).unwrap_or_default();
    if methods.is_empty() || methods.iter().any(|method| *method == request.method().as_str()) {
        ApiError::NotFound("path")
    } else {
        ApiError::MethodNotAllowed(methods)
    }
}
