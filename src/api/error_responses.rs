//! Sets of error statuses that operations document.
//!
//! `http::document` adds the codes of each status, from the errors themselves.
#![allow(dead_code, reason = "only documents what `ApiError` answers")]

use utoipa::IntoResponses;

use crate::api::problem::Problem;

/// Errors of every operation that requires a token.
#[derive(IntoResponses)]
pub enum CommonErrors {
    /// Parameters or members are unknown or invalid; `invalid_parameters` names each.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// No valid token.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The token lacks a scope.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// The token or the service has reached a limit on concurrent requests; `detail` names it.
    #[response(
        status = 429,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds to wait"))
    )]
    TooManyRequests(Problem),
    /// The service failed.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// The service is temporarily unavailable.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds to wait"))
    )]
    Unavailable(Problem),
}

/// For operations that clients poll.
#[derive(IntoResponses)]
pub enum Unchanged {
    /// Only `as_of` differs from the response with the given `ETag`. No body.
    #[response(status = 304, headers(("ETag" = String, description = "The same ETag")))]
    NotModified,
}

/// For operations on one resource.
#[derive(IntoResponses)]
pub enum NotFoundResponse {
    /// Not found, or not visible to the token.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

#[derive(IntoResponses)]
pub enum ConflictResponse {
    /// The request conflicts with the current state.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
}

/// For operations with a body.
#[derive(IntoResponses)]
pub enum PayloadErrors {
    /// The body did not arrive in time.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The body is longer than 64 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
}

/// Errors of callbacks.
#[derive(IntoResponses)]
pub enum CallbackErrors {
    /// Not a valid callback: invalid JSON, a repeated member, or a required member that is missing or malformed.
    #[response(status = 400, content_type = "application/problem+json")]
    NotANotification(Problem),
    /// Not authenticated. The response is the same for every reason.
    #[response(status = 401, content_type = "application/problem+json")]
    NotVerified(Problem),
    /// The body did not arrive in time.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The body is longer than 64 KiB, as sent or decoded.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The `Content-Encoding` is neither `gzip` nor `deflate`.
    #[response(
        status = 415,
        content_type = "application/problem+json",
        headers(("Accept-Encoding" = String, description = "The supported encodings"))
    )]
    UnsupportedEncoding(Problem),
    /// The callback cannot be stored now. Send it again.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds to wait"))
    )]
    Unavailable(Problem),
}
