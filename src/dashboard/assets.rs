//! The one stylesheet and the one script.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, get};

#[get("/style.css")]
pub async fn get_style() -> HttpResponse {
    asset("text/css; charset=utf-8", include_str!("style.css"))
}

#[get("/script.js")]
pub async fn get_script() -> HttpResponse {
    asset("text/javascript; charset=utf-8", include_str!("script.js"))
}

fn asset(kind: &'static str, content: &'static str) -> HttpResponse {
    // Short, so that an upgrade takes effect within minutes.
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=300")];
    let mut answer = HttpResponse::Ok();
    for header in headers {
        answer.insert_header(header);
    }
    answer.body(content)
}
