//! The parts of the API document that do not belong to a single operation.

use std::sync::LazyLock;

use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Header, Object, OpenApi, PathItem, Ref, RefOr, Response, Schema};
use utoipa::{Modify, OpenApi as _};
use utoipa_swagger_ui::Config;

use super::extract::MAX_BODY_BYTES;
use super::webhooks;
use crate::api::problem::ApiError;
use crate::api::problem::QuotaError;
use crate::api::query_reader;
use crate::delivery::payload;
use crate::huawei::notification::ParseError;
use crate::model::access::Scope;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "streamtally API",
        description = "Records every live push that Huawei Cloud Live reports. Shows what is live and for how long.\n\n\
            Times are RFC 3339 in UTC. Durations are whole seconds. Periods are half-open, `[from, to)`. Lists are paged \
            with opaque cursors. Unknown parameters are rejected. Every error is `application/problem+json` with a `code` \
            for programs.\n\n\
            Send a bearer token. Its scopes are `read`, `personal` (adds IP addresses and `user_args`), `billing`, and \
            `admin` (everything). A token that is bound to domains sees no other domains. Every GET path also supports \
            HEAD. An unsupported method returns 405 with the code `method_not_allowed`; an unknown path returns 404 with \
            `not_found`.\n\n\
            Every request has an ID. The response carries it as `X-Request-Id`, and so does every log line of the request. \
            Send the header to choose the ID: up to 128 letters, digits, dots, hyphens and underscores. Other values are \
            replaced."
    ),
    tags(
        (
            name = "dashboards",
            description = "Live counts and streams, for frequent polling. Scope `read`. Poll with `If-None-Match`.",
        ),
        (
            name = "support",
            description = "The history of pushes, and why a push is or is not live. Scope `read`; IP addresses and \
                `user_args` with `personal`.",
        ),
        (
            name = "billing",
            description = "Push duration as of an instant; the same request always returns the same report. Scope `billing`.",
        ),
        (
            name = "webhooks",
            description = "Events that the service sends to other systems. Scope `admin`.",
        ),
        (
            name = "administration",
            description = "Domains, keys, tokens, provider accounts, and operators' actions. Scope `admin`. Every change is recorded in \
                `/v1/audit` and takes effect in every process within 2 seconds.",
        ),
        (name = "receiving", description = "The provider's callbacks. No token: callbacks are authenticated by their signature or secret path."),
        (name = "service", description = "Health, readiness and metrics. No token."),
    ),
    // Schemas that only parameters or errors use; utoipa finds the others.
    components(schemas(
        crate::api::problem::Problem,
        crate::api::problem::InvalidParameter,
        crate::model::report::ReportFormat,
        super::reports::ChartBound,
        super::reports::MonthSchema,
        super::reports::PeriodBound,
        crate::model::report::GroupBy,
        super::reports::TimeZoneSchema,
        crate::model::report::WindowSize,
        crate::api::schema::RegisteredName,
        crate::model::session::LiveGrouping,
        crate::model::session::Renditions,
        crate::model::session::SessionOrder,
        crate::model::session::TimeField,
        payload::SessionData,
        payload::UnconfirmedData,
        payload::QuarantinedData,
        payload::SilentData,
        payload::HeardData,
        payload::DisabledData,
        payload::GapData,
        payload::TestData,
    )),
    security(("token" = [])),
    modifiers(&Token, &NoLicense),
)]
struct Base;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token from `/v1/tokens`"));
        document.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// The project has no license, and `OpenAPI` requires a license to have a name.
struct NoLicense;

impl Modify for NoLicense {
    fn modify(&self, document: &mut OpenApi) {
        document.info.license = None;
    }
}

/// The document without its operations.
pub(super) fn base() -> OpenApi {
    Base::openapi()
}

/// Adds what all operations share: limits of strings, an example of each body, and the codes of errors.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let receives = path.starts_with("/callbacks/");
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.parameters.iter_mut().flatten().for_each(never_null_text);
            operation.parameters.iter_mut().flatten().for_each(bound_text);
            if let Some(RefOr::T(request)) = &mut operation.request_body {
                request.content.values_mut().for_each(never_null);
                request.content.values_mut().for_each(show_example);
            }
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    response.headers.insert(REQUEST_ID.to_owned(), RefOr::Ref(Ref::new(REQUEST_ID_REFERENCE)));
                    response.content.values_mut().for_each(show_example);
                    name_code(status, response, receives);
                }
            }
        }
    }
    document.webhooks = Some(webhooks::document::webhooks());
    if let Some(components) = &mut document.components {
        components.headers.insert(REQUEST_ID.to_owned(), request_id().into());
    }
    document
}

const REQUEST_ID: &str = "X-Request-Id";
const REQUEST_ID_REFERENCE: &str = "#/components/headers/X-Request-Id";

/// The header of every response.
fn request_id() -> Header {
    let mut text = Object::with_type(Type::String);
    (text.min_length, text.max_length, text.pattern) = (Some(1), Some(128), Some("^[A-Za-z0-9._-]+$".to_owned()));
    let mut header = Header::new(text);
    header.description = Some("The ID of the request, as in the log".to_owned());
    header
}

/// The limits of query strings, which [`query_reader`] enforces.
fn bound_text(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(Parameter { parameter_in: ParameterIn::Query, schema: Some(RefOr::T(Schema::Object(text))), .. }) =
        parameter
    else {
        return;
    };
    let free = text.enum_values.is_none() && text.format.is_none() && text.pattern.is_none();
    if free && text.schema_type == SchemaType::Type(Type::String) {
        text.min_length = Some(1);
        text.max_length = Some(query_reader::MAX_TEXT);
        text.pattern = Some(query_reader::TEXT_PATTERN.to_owned());
    }
}

/// utoipa derives optional parameters as nullable, but parameters cannot be null.
fn never_null_text(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(Parameter { schema: Some(RefOr::T(Schema::Object(text))), .. }) = parameter else { return };
    if text.schema_type == SchemaType::from_iter([Type::String, Type::Null]) {
        text.schema_type = SchemaType::new(Type::String);
    }
}

/// utoipa derives an optional body as nullable, but it must not be null.
fn never_null(content: &mut RefOr<Content>) {
    let RefOr::T(Content { schema, .. }) = content else { return };
    if let Some(RefOr::T(Schema::OneOf(either))) = schema
        && let Some(of_body) = either.items.iter().find(|item| matches!(item, RefOr::Ref(_)))
    {
        *schema = Some(of_body.clone());
    }
}

/// Each body schema has one example for all operations.
fn show_example(content: &mut RefOr<Content>) {
    static EXAMPLES: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).expect("examples.json is JSON"));
    let RefOr::T(Content { schema: Some(RefOr::Ref(schema)), example, .. }) = content else { return };
    let name = schema.ref_location.rsplit('/').next().unwrap_or_default();
    *example = example.take().or_else(|| EXAMPLES.get(name).cloned());
}

/// Adds the code of an error and an example.
fn name_code(status: &str, response: &mut Response, receives: bool) {
    let Some(RefOr::T(content)) = response.content.get_mut("application/problem+json") else { return };
    let error = match (status, receives) {
        ("400", true) => ParseError::Missing("publish_timestamp").into(),
        ("400", false) => ApiError::invalid("limit", "must be an integer from 1 to 500"),
        ("401", true) => ApiError::NotVerified,
        ("401", false) => ApiError::Unauthenticated,
        ("403", _) => ApiError::Forbidden(Scope::Admin),
        ("404", _) => ApiError::NotFound("session"),
        ("408", _) => ApiError::TooSlow,
        ("409", _) => ApiError::Conflict("the event was already released".to_owned()),
        ("413", _) => ApiError::TooLarge(MAX_BODY_BYTES),
        ("415", _) => ApiError::UnsupportedEncoding,
        ("429", _) => QuotaError::OfToken { what: "concurrent requests", limit: 6 }.into(),
        ("503", _) => ApiError::Unavailable("".into()),
        _ => ApiError::Internal("".into()),
    };
    let problem = error.problem();
    response.description = format!("{} Code: `{}`.", response.description, problem.code.word());
    content.example = serde_json::to_value(problem).ok();
}

/// Settings of Swagger UI: nothing is loaded from other hosts. The page has a header of its own.
pub(super) fn viewer() -> Config<'static> {
    Config::new(["/openapi.json"])
        .validator_url("none")
        .try_it_out_enabled(true)
        .use_base_layout()
        .default_models_expand_depth(0)
}

/// Composed when it is first needed: it takes some megabytes, which most processes never need.
pub(super) static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(super::api_document);

/// The methods that a path supports.
pub(super) fn methods_of(path: &str) -> Vec<String> {
    if ["/", "/openapi.json", "/docs"].contains(&path) || path.starts_with("/docs/") {
        return vec!["GET".to_owned(), "HEAD".to_owned()];
    }
    // Only callbacks accept a trailing slash; the document omits it.
    DOCUMENT.paths.paths.get(path.trim_end_matches('/')).map(methods).unwrap_or_default()
}

fn methods(item: &PathItem) -> Vec<String> {
    let methods =
        [("GET", &item.get), ("HEAD", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete)];
    methods.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method.to_owned()).collect()
}
