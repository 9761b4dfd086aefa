//! The API document, and its page: Swagger UI under our own header.

use std::borrow::Cow;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, guard, web};
use maud::{DOCTYPE, Markup, html};

use super::document::DOCUMENT;
use crate::api::DASHBOARD;

const STYLE: &str = include_str!("docs_page.css");

/// Swagger UI has dark colors, but its page chooses them only with the header that ours replaces.
const SCRIPT: &str =
    "document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches);\n";

/// Routes that take precedence over Swagger UI's page. `has_dashboard`: whether this process serves the dashboard.
pub(super) fn routes(config: &mut web::ServiceConfig, has_dashboard: bool) {
    let document = async || HttpResponse::Ok().json(&*DOCUMENT);
    config.service(web::resource("/openapi.json").guard(guard::Get()).to(document));
    config.service(web::redirect("/docs", "/docs/"));
    for (path, kind, content) in [
        (r"/docs/{_:(index\.html)?}", "text/html; charset=utf-8", Cow::Owned(page(has_dashboard).into_string())),
        ("/docs/page.css", "text/css; charset=utf-8", Cow::Borrowed(STYLE)),
        ("/docs/page.js", "text/javascript; charset=utf-8", Cow::Borrowed(SCRIPT)),
    ] {
        let answer = move || {
            let content = content.clone();
            async move { HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).body(content.into_owned()) }
        };
        config.service(web::resource(path).guard(guard::Get()).to(answer));
    }
}

fn page(has_dashboard: bool) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "streamtally API" }
                link rel="stylesheet" href="swagger-ui.css";
                link rel="stylesheet" href="page.css";
                script src="page.js" {}
                @if has_dashboard { link rel="icon" type="image/svg+xml" href=(format!("{DASHBOARD}/icon.svg")); }
                @else { link rel="icon" href="data:,"; }
            }
            body {
                header.page-bar {
                    strong { "streamtally API" }
                    nav aria-label="Pages" {
                        @if has_dashboard { a href=(DASHBOARD) { "Dashboard" } }
                        a href="/openapi.json" { "OpenAPI document" }
                    }
                }
                main id="swagger-ui" {}
                script src="swagger-ui-bundle.js" {}
                script src="swagger-ui-standalone-preset.js" {}
                script src="swagger-initializer.js" {}
            }
        }
    }
}
