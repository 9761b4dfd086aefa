//! Every error of the API: one type, one format (`application/problem+json`, RFC 9457), one table of codes.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::admin::NewTokenError;
use crate::delivery::admin::WebhookError;
use crate::event_log::confirmation::ConfirmationError;
use crate::event_log::group_commit::AppendError;
use crate::event_log::operator_end::EndError;
use crate::event_log::release::ReleaseError;
use crate::huawei::notification::{IN_MILLISECONDS, ParseError};
use crate::model::access::Scope;
use crate::platform::clock;
use crate::polling::admin::{AccountError, KEYS_FOR_ENDPOINT};
use crate::polling::check::CheckError;
use crate::reconciler::database_clock::ClockError;
use crate::registry::admin::AdminError;
use crate::rejection::retry::RetryError;
use crate::store;
use crate::telemetry::OnceASecond;
use crate::telemetry::request_id;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    #[error("the token has reached its limit of {limit} {what}")]
    OfToken { what: &'static str, limit: usize },
    #[error("the service has reached its limit of {limit} {what}")]
    InAll { what: &'static str, limit: usize },
}

/// The accepted values of Content-Encoding.
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// An invalid parameter or member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvalidParameter {
    /// Name of the parameter or member.
    #[schema(example = "limit")]
    pub name: String,
    /// Why it is invalid.
    #[schema(example = "must be an integer from 1 to 500")]
    pub reason: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the request is invalid")]
    Invalid(Vec<InvalidParameter>),
    #[error(transparent)]
    NotANotification(#[from] ParseError),
    /// The same text for every reason, so that it helps no attacker.
    #[error("the callback was not authenticated")]
    NotVerified,
    #[error("a valid bearer token is required")]
    Unauthenticated,
    #[error("the token lacks the scope `{}`", .0.as_str())]
    Forbidden(Scope),
    /// It does not exist, or the caller may not see it.
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("the path does not support this method")]
    MethodNotAllowed(Vec<String>),
    #[error("{0}")]
    Conflict(String),
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("the Content-Encoding is not supported; supported are {ACCEPTED}")]
    UnsupportedEncoding,
    #[error("this installation relayed the callback itself: its relay must not lead back to it")]
    LoopDetected,
    #[error(transparent)]
    TooManyRequests(#[from] QuotaError),
    #[error("the service is temporarily unavailable; try again later")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The clocks of the service and its database do not agree.
    #[error("reports are unavailable: {0}")]
    WrongClock(ClockError),
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The code of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// Parameters or members are invalid.
    InvalidRequest,
    /// The body is not a valid callback.
    NotANotification,
    /// The callback was not authenticated.
    NotVerified,
    /// No valid token.
    Unauthenticated,
    /// The token lacks a scope.
    Forbidden,
    /// It does not exist, or the token may not see it.
    NotFound,
    /// The path does not support the method.
    MethodNotAllowed,
    /// The request conflicts with the current state.
    Conflict,
    /// The body is too long.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The `Content-Encoding` is not supported.
    UnsupportedEncoding,
    /// This installation relayed the callback itself.
    LoopDetected,
    /// A limit on concurrent requests is reached.
    TooManyRequests,
    /// The service is temporarily unavailable.
    Unavailable,
    /// The service failed.
    Internal,
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A URN of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:streamtally:problem:invalid_request")]
    kind: String,
    /// A short summary of the kind of problem.
    #[schema(example = "Invalid Request")]
    title: &'static str,
    /// The HTTP status code.
    #[schema(minimum = 400, maximum = 599, example = 400)]
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The kind of problem, for programs.
    pub(crate) code: ProblemCode,
    /// The invalid parameters and members. Present if and only if the status is 400.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invalid_parameters: Vec<InvalidParameter>,
}

impl ProblemCode {
    pub(crate) fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
    }
}

const RETRY_AFTER_SECONDS: &str = "2";

/// The ID in a path. IDs are opaque, so a malformed ID is not found.
///
/// # Errors
/// [`ApiError::NotFound`], which names `what` the ID is of.
pub fn parse_id(text: &str, what: &'static str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| ApiError::NotFound(what))
}

impl ApiError {
    pub fn invalid(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![InvalidParameter { name: name.into(), reason: reason.into() }])
    }

    /// The one table: code, status, title.
    fn kind(&self) -> (ProblemCode, StatusCode, &'static str) {
        use ProblemCode as Code;
        match self {
            Self::Invalid(_) => (Code::InvalidRequest, StatusCode::BAD_REQUEST, "Invalid Request"),
            Self::NotANotification(_) => (Code::NotANotification, StatusCode::BAD_REQUEST, "Invalid Callback"),
            Self::NotVerified => (Code::NotVerified, StatusCode::UNAUTHORIZED, "Callback Not Authenticated"),
            Self::Unauthenticated => (Code::Unauthenticated, StatusCode::UNAUTHORIZED, "Unauthenticated"),
            Self::Forbidden(_) => (Code::Forbidden, StatusCode::FORBIDDEN, "Forbidden"),
            Self::NotFound(_) => (Code::NotFound, StatusCode::NOT_FOUND, "Not Found"),
            Self::MethodNotAllowed(_) => (Code::MethodNotAllowed, StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
            Self::Conflict(_) => (Code::Conflict, StatusCode::CONFLICT, "Conflict"),
            Self::TooLarge(_) => (Code::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, "Body Too Large"),
            Self::TooSlow => (Code::TooSlow, StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
            Self::UnsupportedEncoding => {
                (Code::UnsupportedEncoding, StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Content-Encoding")
            }
            Self::LoopDetected => (Code::LoopDetected, StatusCode::LOOP_DETECTED, "Loop Detected"),
            Self::TooManyRequests(_) => (Code::TooManyRequests, StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
            Self::Unavailable(_) | Self::WrongClock(_) => {
                (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
            Self::Internal(_) => (Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        }
    }

    pub(crate) fn problem(&self) -> Problem {
        let (code, status, title) = self.kind();
        Problem {
            kind: format!("urn:streamtally:problem:{}", code.word()),
            title,
            status: status.as_u16(),
            detail: self.to_string(),
            code,
            invalid_parameters: self.invalid_parameters(),
        }
    }

    fn invalid_parameters(&self) -> Vec<InvalidParameter> {
        if let Self::Invalid(parameters) = self {
            return parameters.clone();
        }
        let Self::NotANotification(error) = self else { return Vec::new() };
        let (name, reason) = match error {
            ParseError::Missing(name) => (*name, "is missing".to_owned()),
            ParseError::Malformed { name, problem } => (*name, problem.clone()),
            ParseError::Milliseconds(name) => (*name, IN_MILLISECONDS.to_owned()),
            ParseError::NotReadable(_) | ParseError::OtherCallback => ("body", error.to_string()),
        };
        vec![InvalidParameter { name: name.to_owned(), reason }]
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.kind().1
    }

    fn error_response(&self) -> HttpResponse {
        static UNAVAILABLE: OnceASecond = OnceASecond::new();
        if let Self::Internal(source) = self {
            tracing::error!(
                request_id = request_id::of_line(),
                error = &**source as &dyn std::error::Error,
                "a request failed, and will fail again: a defect of the program or of its database; report it with \
                 this line"
            );
        }
        // At most once a second: an outage fails every request.
        if let Self::Unavailable(source) = self
            && UNAVAILABLE.is_due(clock::now())
        {
            tracing::error!(
                request_id = request_id::of_line(),
                error = &**source as &dyn std::error::Error,
                "requests cannot be answered: check the database; /readyz says more"
            );
        }
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Unauthenticated => response.insert_header((header::WWW_AUTHENTICATE, "Bearer")),
            Self::UnsupportedEncoding => response.insert_header((header::ACCEPT_ENCODING, ACCEPTED)),
            Self::TooManyRequests(_) | Self::Unavailable(_) | Self::WrongClock(_) => {
                response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS))
            }
            Self::MethodNotAllowed(methods) => response.insert_header((header::ALLOW, methods.join(", "))),
            Self::Invalid(_)
            | Self::NotANotification(_)
            | Self::NotVerified
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::TooLarge(_)
            | Self::TooSlow
            | Self::LoopDetected
            | Self::Internal(_) => &mut response,
        };
        response
            .content_type("application/problem+json")
            .body(serde_json::to_string(&self.problem()).unwrap_or_default())
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        if store::is_transient(&error) { Self::Unavailable(error.into()) } else { Self::Internal(error.into()) }
    }
}

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Invalid { name, reason } => Self::invalid(name, reason),
            AdminError::NotFound(what) => Self::NotFound(what),
            AdminError::KeyExists | AdminError::KeyShared(_) => Self::Conflict(error.to_string()),
            AdminError::MasterKey(error) => Self::Unavailable(error.into()),
            AdminError::Database(error) => error.into(),
        }
    }
}

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Invalid { name, reason } => Self::invalid(name, reason),
            WebhookError::NotFound => Self::NotFound("webhook"),
            WebhookError::NameTaken | WebhookError::TooMany | WebhookError::TooManyEvents | WebhookError::NotKept => {
                Self::Conflict(error.to_string())
            }
            WebhookError::MasterKey(error) => Self::Unavailable(error.into()),
            WebhookError::Database(error) => error.into(),
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Invalid { name, reason } => Self::invalid(name, reason),
            AccountError::KeysForEndpoint => Self::invalid("access_key", KEYS_FOR_ENDPOINT),
            AccountError::NotFound => Self::NotFound("provider account"),
            AccountError::NameTaken | AccountError::TooMany | AccountError::InUse(_) => {
                Self::Conflict(error.to_string())
            }
            AccountError::MasterKey(error) => Self::Unavailable(error.into()),
            AccountError::Database(error) => error.into(),
        }
    }
}

impl From<CheckError> for ApiError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::NotFound => Self::NotFound("domain"),
            CheckError::NoAccount => Self::Conflict(error.to_string()),
            CheckError::MasterKey(error) => Self::Unavailable(error.into()),
            CheckError::Database(error) => error.into(),
        }
    }
}

impl From<NewTokenError> for ApiError {
    fn from(error: NewTokenError) -> Self {
        match error {
            NewTokenError::Invalid { name, reason } => Self::invalid(name, reason),
            NewTokenError::Database(error) => error.into(),
        }
    }
}

impl From<ReleaseError> for ApiError {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::NotQuarantined => Self::NotFound("quarantined event"),
            ReleaseError::ReleasedBefore => Self::Conflict(error.to_string()),
            ReleaseError::Database(error) => error.into(),
        }
    }
}

impl From<RetryError> for ApiError {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Key => Self::Internal(error.into()),
            RetryError::NotConfirmed => Self::Unavailable(error.into()),
            RetryError::Database(error) => error.into(),
        }
    }
}

impl From<EndError> for ApiError {
    fn from(error: EndError) -> Self {
        match error {
            EndError::NotFound => Self::NotFound("session"),
            EndError::Impossible(reason) => Self::invalid("ended_at", reason),
            EndError::NothingToWithdraw => Self::Conflict(error.to_string()),
            EndError::Database(error) => error.into(),
        }
    }
}

impl From<ConfirmationError> for ApiError {
    fn from(error: ConfirmationError) -> Self {
        match error {
            ConfirmationError::NotFound => Self::NotFound("session"),
            ConfirmationError::Ended => Self::Conflict(error.to_string()),
            ConfirmationError::Database(error) => error.into(),
        }
    }
}
