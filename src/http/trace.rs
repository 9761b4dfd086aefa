//! Request IDs, and a span for every request except callbacks. Spans carry the route, never the path, which may contain a
//! secret or a name from outside.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse as Answer};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

use crate::telemetry::request_id::{self, RequestId};
use crate::telemetry::traces::{REQUEST, continue_trace};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Assigns a request its ID and adds the ID to the response, also to an error.
pub(super) async fn assign_request_id(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let id = RequestId::of(request.headers().get(REQUEST_ID).map(HeaderValue::as_bytes));
    let value = HeaderValue::from_str(id.as_str());
    let answered = async {
        // Turns an error into a response here, while the request ID is set.
        next.call(request).await.map_err(|error| {
            let mut response = error.error_response();
            if let Ok(value) = &value {
                response.headers_mut().insert(REQUEST_ID, value.clone());
            }
            Error::from(InternalError::from_response(error.to_string(), response))
        })
    };
    let mut answer = request_id::within(id, answered).await?;
    if let Ok(value) = value {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    Ok(answer)
}

pub(super) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let route = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
        let request_id = request_id::current();
        let request_id = request_id.as_ref().map(RequestId::as_str);
        let method = method_of(request.method());
        let span = tracing::info_span!(REQUEST, method, route, request_id, status = tracing::field::Empty);
        continue_trace(&span, request.headers());
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<Answer<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("status", status.as_u16());
        span.in_scope(|| tracing::debug!("answered"));
    }
}

/// A known method, otherwise the value that OpenTelemetry defines for others: callers can send anything.
pub(super) fn method_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}
