//! Requests to the callback addresses that are not read as a message: counted, so that a console that is set up wrongly
//! is seen. The paths are the receiver's; elsewhere nobody counts.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::callback_meters::count_unread;
use super::trace::method_of;
use super::unanswered;
use crate::api::problem::ApiError;
use crate::app::client_address::source_address;
use crate::app::state::AppState;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;

/// Answers what is near the callback addresses and no message: another method, or another path.
pub(super) async fn reject_unanswered(state: Data<AppState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let error = unanswered(&request);
    note_unread(&state, &request, &error);
    Err(error)
}

/// Counts a request that is answered with this error before a message was read. Its path may hold a secret, so that the
/// sample has none.
pub(super) fn note_unread(state: &AppState, request: &HttpRequest, error: &ApiError) {
    let Some(cause) = cause_of(error) else { return };
    count_unread(cause);
    let problem = format_args!("{}: {error}", method_of(request.method()));
    state.rejections.count_unread(cause, &problem, clock::now(), source_address(request));
}

/// Why a request is rejected; `None` where the service is to blame, or admission has the cause.
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
        | ApiError::TooManyRequests(_)
        | ApiError::WrongClock(_)
        | ApiError::Unavailable(_)
        | ApiError::Internal(_) => None,
    }
}
