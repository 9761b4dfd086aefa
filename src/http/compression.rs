//! Compresses responses with gzip or zstd.
//!
//! Two middlewares around actix-web's [`Compress`](actix_web::middleware::Compress), which compresses every response
//! without a `Content-Encoding`. [`skip_small_bodies`], or a handler, marks a response as `identity` to exclude it.

use actix_web::Error;
use actix_web::HttpMessage;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse as Answer};
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CONTENT_ENCODING, CONTENT_TYPE, Encoding, HeaderValue, VARY,
};
use actix_web::middleware::Next;

/// Smaller bodies are not compressed: they fit into one packet either way.
const MIN_BYTES: u64 = 1024;

const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Wraps compression. If a request accepts none of the service's encodings, not even `identity`, the response is sent
/// uncompressed, as HTTP allows.
pub(super) async fn choose_encoding(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let known = [Encoding::identity(), Encoding::gzip(), Encoding::zstd()];
    let accepted = request.get_header::<AcceptEncoding>();
    if accepted.is_some_and(|accepted| accepted.negotiate(known.iter()).is_none()) {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    let mut answer = next.call(request).await?;
    let headers = answer.headers_mut();
    if headers.get(CONTENT_ENCODING) == Some(&IDENTITY) {
        headers.remove(CONTENT_ENCODING);
    }
    if !headers.contains_key(CONTENT_ENCODING) {
        // `Compress` adds the header to the responses that it compresses.
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
    Ok(answer)
}

/// Excludes short bodies, and event streams, whose events must not wait in a buffer.
pub(super) async fn skip_small_bodies(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let mut answer = next.call(request).await?;
    let short = matches!(answer.response().body().size(), BodySize::Sized(bytes) if bytes < MIN_BYTES);
    let headers = answer.headers_mut();
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if (short || kind.starts_with("text/event-stream")) && !headers.contains_key(CONTENT_ENCODING) {
        headers.insert(CONTENT_ENCODING, IDENTITY);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::ContentEncoding;
    use actix_web::middleware::{Compress, from_fn};
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    #[actix_web::test]
    async fn event_streams_and_marked_responses_are_not_compressed() {
        let long = "data: x\n\n".repeat(1000);
        let answer = move |kind: &'static str, encoding: Option<ContentEncoding>| {
            let body = long.clone();
            web::to(move || {
                let mut response = HttpResponse::Ok();
                response.content_type(kind);
                if let Some(encoding) = encoding {
                    response.insert_header(encoding);
                }
                std::future::ready(response.body(body.clone()))
            })
        };
        let app = App::new()
            .route("/long", answer("text/plain", None))
            .route("/events", answer("text/event-stream; charset=utf-8", None))
            .route("/marked", answer("text/plain", Some(ContentEncoding::Identity)))
            .wrap(from_fn(skip_small_bodies))
            .wrap(Compress::default())
            .wrap(from_fn(choose_encoding));
        let app = init_service(app).await;
        for (path, expected) in [("/long", Some("gzip")), ("/events", None), ("/marked", None)] {
            let request = TestRequest::get().uri(path).insert_header((ACCEPT_ENCODING, "gzip")).to_request();
            let answer = call_service(&app, request).await;
            let encoding = answer.headers().get(CONTENT_ENCODING).map(|value| value.to_str().expect("text"));
            assert_eq!(encoding, expected, "{path}");
        }
    }
}
