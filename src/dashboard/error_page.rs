//! Error pages.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use maud::html;

use super::error::PageError;
use super::layout::{self, NavItem};
use super::texts::Language;
use super::view::View;
use super::visitor::{self, Visitor};
use super::{ROOT, links, words};
use crate::api::problem::ApiError;
use crate::model::access::Scope;

/// Shows errors as pages: in the visitor's frame if somebody is signed in.
pub async fn show_errors(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let Some(error) = response.response().error().and_then(|error| error.as_error::<PageError>()) else {
        return Ok(response);
    };
    if matches!(error, PageError::NotSignedIn { .. }) {
        return Ok(response);
    }
    let request = response.request();
    let visitor = request.extensions().get::<Visitor>().cloned();
    if let Some(home) = other_home(request, visitor.as_ref(), error) {
        return Ok(response.into_response(layout::redirect_to(&home)));
    }
    let view = visitor.as_ref().map_or_else(|| View::of(request), |visitor| visitor.view);
    let (title, advice) = describe(error, view.language);
    let content = html! {
        h1 { (title) }
        div.card role="alert" { p { (advice) } }
    };
    let page = match &visitor {
        Some(visitor) => layout::framed(visitor, NavItem::Unlisted, &title, &content),
        None => layout::page_without_nav(view, &title, &content),
    };
    let mut answer = HttpResponseBuilder::new(response.status());
    for header in response.headers() {
        answer.append_header(header);
    }
    let answer = answer.insert_header((CONTENT_TYPE, layout::HTML)).body(page.into_string());
    Ok(response.into_response(answer))
}

/// Where the dashboard begins for a visitor who may see only reports.
fn other_home(request: &HttpRequest, visitor: Option<&Visitor>, error: &PageError) -> Option<String> {
    let reports_only = matches!(error, PageError::Api(ApiError::Forbidden(Scope::Read)))
        && visitor.is_some_and(|visitor| visitor.principal.may(Scope::Billing));
    (reports_only && request.path() == ROOT).then(links::reports)
}

fn describe(error: &PageError, text: Language) -> (String, String) {
    match error {
        PageError::NotSignedIn { .. } => (text.sign_in(), String::new()),
        PageError::OtherOrigin => (text.error_other_origin_title(), text.error_other_origin()),
        PageError::Api(error @ ApiError::NotFound(_)) => (text.error_not_found_title(), advice_on(error, text)),
        PageError::Api(error) => (text.error_title(), advice_on(error, text)),
    }
}

/// What an error means to a visitor.
fn advice_on(error: &ApiError, text: Language) -> String {
    match error {
        ApiError::NotFound(what) => text.error_not_found(what),
        ApiError::Unavailable(_) => text.error_unavailable(),
        ApiError::Forbidden(scope) => text.error_scope(scope.as_str()),
        ApiError::Invalid(invalid) => {
            let reasons =
                invalid.iter().map(|invalid| format!("{} {}", words::readable(&invalid.name), invalid.reason));
            reasons.collect::<Vec<_>>().join("; ")
        }
        ApiError::NotANotification(_)
        | ApiError::NotVerified
        | ApiError::Unauthenticated
        | ApiError::MethodNotAllowed(_)
        | ApiError::Conflict(_)
        | ApiError::TooLarge(_)
        | ApiError::TooSlow
        | ApiError::LoopDetected
        | ApiError::UnsupportedEncoding
        | ApiError::TooManyRequests(_)
        | ApiError::WrongClock(_)
        | ApiError::Internal(_) => error.to_string(),
    }
}

/// For unknown paths under the dashboard.
pub async fn show_not_found(request: HttpRequest) -> Result<HttpResponse, PageError> {
    // Shows the frame to visitors.
    if let Ok(visitor) = visitor::find(&request) {
        request.extensions_mut().insert(visitor);
    }
    Err(ApiError::NotFound("page").into())
}
