//! What the document of the API says beside its operations.

use std::sync::LazyLock;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, PathItem};
use utoipa::{Modify, OpenApi as _};
use utoipa_swagger_ui::Config;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "streamtally",
        description = "Keeps every live push that Huawei Cloud Live reports, and answers what is live and for how long.\n\n\
            Times are RFC 3339 in UTC, durations whole seconds, periods half-open. Lists are paged by opaque cursors. \
            Unknown parameters are refused. Every error is `application/problem+json`."
    ),
    tags(
        (name = "streams", description = "For dashboards: what is live"),
        (name = "sessions", description = "For support: the history of pushes, and why each is (not) live"),
        (name = "administration", description = "For operators: who may send and who may read"),
        (name = "receiving", description = "For the provider: callbacks"),
        (name = "service", description = "For machines: health and metrics"),
    ),
    // Those that only parameters or errors refer to: the others are found by themselves.
    components(schemas(
        super::problem::Problem,
        super::problem::InvalidParameter,
        super::words::GroupBy,
        super::words::RenditionsWanted,
        super::words::SortWord,
        super::words::TimeFieldWord,
    )),
    security(("token" = [])),
    modifiers(&Token, &NoLicence),
)]
struct Base;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token of `/v1/tokens`"));
        document.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// The project has none to name, and a licence without a name is not allowed.
struct NoLicence;

impl Modify for NoLicence {
    fn modify(&self, document: &mut OpenApi) {
        document.info.license = None;
    }
}

/// The document without its operations.
pub(super) fn base() -> OpenApi {
    Base::openapi()
}

/// Settings of the page that shows the document: nothing on it comes from elsewhere.
pub(super) fn viewer() -> Config<'static> {
    Config::new(["/openapi.json"]).validator_url("none").try_it_out_enabled(true)
}

/// The methods that a path answers.
pub(super) fn methods_of(path: &str) -> Vec<String> {
    static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(super::api_document);
    if ["/openapi.json", "/docs", "/docs/{_:.*}"].contains(&path) {
        return vec!["GET".to_owned(), "HEAD".to_owned()];
    }
    DOCUMENT.paths.paths.get(path).map(answered).unwrap_or_default()
}

fn answered(item: &PathItem) -> Vec<String> {
    let methods =
        [("GET", &item.get), ("HEAD", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete)];
    methods.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method.to_owned()).collect()
}
