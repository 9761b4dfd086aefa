//! Answers go out compressed, by gzip or zstd, to whoever takes that, where it saves something.
//!
//! Two steps around actix-web's own [`Compress`](actix_web::middleware::Compress), which compresses whatever says
//! nothing of its encoding. What compresses badly, or has to go out at once, is marked as sent as it is (`identity`)
//! before it gets there, by [`spare`] or by its handler.

use actix_web::Error;
use actix_web::HttpMessage;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse as Answer};
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CONTENT_ENCODING, CONTENT_TYPE, Encoding, HeaderValue, VARY,
};
use actix_web::middleware::Next;

/// Bodies below this many bytes are sent as they are: they fit into one packet either way.
const WORTH_IT: u64 = 1024;

const AS_IT_IS: HeaderValue = HeaderValue::from_static("identity");

/// Around compression. A request that takes no encoding that there is, not even none, is answered without one, as HTTP
/// allows: nothing is lost for it. That an answer has no encoding goes without saying.
pub(super) async fn negotiate(
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
    if headers.get(CONTENT_ENCODING) == Some(&AS_IT_IS) {
        headers.remove(CONTENT_ENCODING);
    }
    if !headers.contains_key(CONTENT_ENCODING) {
        // Compression says so itself.
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
    Ok(answer)
}

/// Within compression: leaves out short bodies, and streams of events, of which each is to be seen when it happens.
pub(super) async fn spare(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let mut answer = next.call(request).await?;
    let short = matches!(answer.response().body().size(), BodySize::Sized(bytes) if bytes < WORTH_IT);
    let headers = answer.headers_mut();
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if (short || kind.starts_with("text/event-stream")) && !headers.contains_key(CONTENT_ENCODING) {
        headers.insert(CONTENT_ENCODING, AS_IT_IS);
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
    async fn what_goes_out_bit_by_bit_and_what_says_so_is_left_as_it_is() {
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
            .wrap(from_fn(spare))
            .wrap(Compress::default())
            .wrap(from_fn(negotiate));
        let app = init_service(app).await;
        for (path, expected) in [("/long", Some("gzip")), ("/events", None), ("/marked", None)] {
            let request = TestRequest::get().uri(path).insert_header((ACCEPT_ENCODING, "gzip")).to_request();
            let answer = call_service(&app, request).await;
            let encoding = answer.headers().get(CONTENT_ENCODING).map(|value| value.to_str().expect("text"));
            assert_eq!(encoding, expected, "{path}");
        }
    }
}
