//! The error statuses that operations document, in the sets that they come in.
//!
//! Which code comes with which status is added by `http::document`, from the errors themselves.
#![allow(dead_code, reason = "only documents what `ApiError` answers")]

use utoipa::IntoResponses;

use crate::api::problem::Problem;

/// Of every operation that asks for a token.
#[derive(IntoResponses)]
pub enum Refusals {
    /// A parameter or member is unknown or wrong; each is named.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// No valid token.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The token lacks a scope.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// The token, or the service, has reached a limit on what is under way, which `detail` names.
    #[response(
        status = 429,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds to wait"))
    )]
    TooManyRequests(Problem),
    /// A defect of the service.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// Not possible at the moment.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds to wait"))
    )]
    Unavailable(Problem),
}

/// Of operations that are polled.
#[derive(IntoResponses)]
pub enum Unchanged {
    /// Nothing but `as_of` differs from the answer with the tag that was shown. No body.
    #[response(status = 304, headers(("ETag" = String, description = "The same tag")))]
    NotModified,
}

/// Of operations on one thing.
#[derive(IntoResponses)]
pub enum NotThere {
    /// Nothing is there, or nothing that exists for the caller.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

/// Of operations that may clash with what is there.
#[derive(IntoResponses)]
pub enum Clash {
    /// It clashes with what is there.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
}

/// Of operations with a body.
#[derive(IntoResponses)]
pub enum TooLong {
    /// The body did not arrive in time.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The body is longer than 64 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
}

/// Of receiving.
#[derive(IntoResponses)]
pub enum CallbackRefusals {
    /// Not a notification: bad JSON, a member repeated, or one that counts missing or malformed.
    #[response(status = 400, content_type = "application/problem+json")]
    NotANotification(Problem),
    /// Not verified; the same for every cause.
    #[response(status = 401, content_type = "application/problem+json")]
    NotVerified(Problem),
    /// The body did not arrive in time.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The body is longer than 64 KiB, as sent or decoded.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body has a `Content-Encoding` other than `gzip` and `deflate`.
    #[response(
        status = 415,
        content_type = "application/problem+json",
        headers(("Accept-Encoding" = String, description = "The encodings that are decoded"))
    )]
    UnsupportedEncoding(Problem),
    /// Cannot be stored anywhere safely at the moment.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds to wait"))
    )]
    Unavailable(Problem),
}
