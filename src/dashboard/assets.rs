//! The stylesheet, the scripts and the icon.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Path;
use actix_web::{HttpResponse, get};

use super::error::PageError;
use crate::api::problem::ApiError;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, media type and content of each asset.
const ASSETS: [(&str, &str, &str); 8] = [
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("script.js", SCRIPT, include_str!("assets/script.js")),
    ("common.js", SCRIPT, include_str!("assets/common.js")),
    ("feed.js", SCRIPT, include_str!("assets/feed.js")),
    ("live.js", SCRIPT, include_str!("assets/live.js")),
    ("setup.js", SCRIPT, include_str!("assets/setup.js")),
    ("stream.js", SCRIPT, include_str!("assets/stream.js")),
];

#[get("/{name:[a-z]+\\.(?:css|js|svg)}")]
pub async fn get_asset(name: Path<String>) -> Result<HttpResponse, PageError> {
    let asset = ASSETS.iter().find(|(known, _, _)| *known == *name);
    let (_, kind, content) = asset.ok_or(ApiError::NotFound("page"))?;
    let mut answer = HttpResponse::Ok();
    // Short, so that an upgrade takes effect within minutes.
    answer.insert_header((CONTENT_TYPE, *kind)).insert_header((CACHE_CONTROL, "public, max-age=300"));
    Ok(answer.body(*content))
}
