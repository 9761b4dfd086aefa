//! Counts requests to callback URLs that are rejected before the body is parsed, so that a wrong configuration at the
//! provider is visible.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::callback_metrics::count_unread;
use super::path_error;
use super::trace::method_of;
use crate::api::problem::ApiError;
use crate::app::client_address::source_address;
use crate::app::state::AppState;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;

/// Handles other methods and other paths below `/callbacks`.
pub(super) async fn reject_other_requests(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let error = path_error(&request);
    note_unread(&state, &request, &error);
    Err(error)
}

/// Counts a request that fails before its body is parsed. The sample omits the path, which may contain a secret.
pub(super) fn note_unread(state: &AppState, request: &HttpRequest, error: &ApiError) {
    let Some(cause) = cause_of(error) else { return };
    count_unread(cause);
    let problem = format_args!("{}: {error}", method_of(request.method()));
    state.rejections.count_unread(cause, &problem, clock::now(), source_address(request));
}

/// The reason of a rejection; `None` for errors of the service, and where admission gives the reason.
fn cause_of(error: &ApiError) -> Option<RejectionReason> {
    match error {
        ApiError::Invalid(_) => Some(RejectionReason::NotANotification),
        ApiError::NotANotification(problem) => Some(problem.into()),
        ApiError::NotFound(_) => Some(RejectionReason::WrongPath),
        ApiError::MethodNotAllowed(_) => Some(RejectionReason::WrongMethod),
        ApiError::TooLarge(_) => Some(RejectionReason::TooLarge),
        ApiError::TooSlow => Some(RejectionReason::TooSlow),
        ApiError::UnsupportedEncoding => Some(RejectionReason::UnsupportedEncoding),
        ApiError::NotVerified
        | ApiError::Unauthenticated
        | ApiError::Forbidden(_)
        | ApiError::Conflict(_)
        | ApiError::LoopDetected
        | ApiError::TooManyRequests(_)
        | ApiError::WrongClock(_)
        | ApiError::Unavailable(_)
        | ApiError::Internal(_) => None,
    }
}
