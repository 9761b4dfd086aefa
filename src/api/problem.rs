//! Every error that callers see: one type, one shape (`application/problem+json`, RFC 9457), one table of codes.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::admin::NewTokenError;
use crate::event_log::group_commit::AppendError;
use crate::event_log::operator_end::EndError;
use crate::event_log::release::ReleaseError;
use crate::huawei::notification::{IN_MILLISECONDS, ParseError};
use crate::model::access::Scope;
use crate::platform::clock;
use crate::reconciler::database_clock::ClockError;
use crate::registry::admin::AdminError;
use crate::store;
use crate::telemetry::OnceASecond;
use crate::telemetry::request_id;

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// That of the caller's token.
    #[error("the token has reached its limit of {limit} {what}")]
    OfToken {
        /// What is limited.
        what: &'static str,
        /// How much of it a token may have.
        limit: usize,
    },
    /// That of the service.
    #[error("the service has reached its limit of {limit} {what}")]
    InAll {
        /// What is limited.
        what: &'static str,
        /// How much of it all tokens together may have.
        limit: usize,
    },
}

/// The encodings of bodies that are decoded.
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// A parameter or member that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvalidParameter {
    /// Its name.
    #[schema(example = "limit")]
    pub name: String,
    /// Why it cannot be used.
    #[schema(example = "must be an integer from 1 to 500")]
    pub reason: String,
}

/// Why a request is not answered as it was meant.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Parameters or members cannot be used; each is named.
    #[error("the request cannot be understood")]
    Invalid(Vec<InvalidParameter>),
    /// The body is not a notification.
    #[error(transparent)]
    NotANotification(#[from] ParseError),
    /// The message was not shown to be genuine. The same for every cause.
    #[error("the message was not verified")]
    NotVerified,
    /// No valid token.
    #[error("a valid bearer token is needed")]
    Unauthenticated,
    /// A valid token that may not do this.
    #[error("the token does not have the scope `{}`", .0.as_str())]
    Forbidden(Scope),
    /// Nothing is there, or nothing that exists for the caller.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The path is there, the method is not.
    #[error("this path does not answer that method")]
    MethodNotAllowed(Vec<String>),
    /// It clashes with what is there.
    #[error("{0}")]
    Conflict(String),
    /// The body is longer than the limit.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// The body does not arrive.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The body is encoded in a way that is not decoded.
    #[error("the body has a Content-Encoding other than {ACCEPTED}")]
    UnsupportedEncoding,
    /// A limit on what callers have under way is reached.
    #[error(transparent)]
    TooManyRequests(#[from] QuotaError),
    /// It can be done later.
    #[error("the service cannot do this at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The clocks of the service and its database do not agree.
    #[error("no report can be made: {0}")]
    WrongClock(ClockError),
    /// A defect of ours.
    #[error("the service failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The kinds of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// Parameters or members cannot be used.
    InvalidRequest,
    /// The body is not a notification.
    NotANotification,
    /// The message was not shown to be genuine.
    NotVerified,
    /// No valid token.
    Unauthenticated,
    /// The token lacks a scope.
    Forbidden,
    /// Nothing is there.
    NotFound,
    /// The path does not answer the method.
    MethodNotAllowed,
    /// It clashes with what is there.
    Conflict,
    /// The body is too long.
    TooLarge,
    /// The body does not arrive.
    TooSlow,
    /// The body is encoded in a way that is not decoded.
    UnsupportedEncoding,
    /// A limit on what callers have under way is reached.
    TooManyRequests,
    /// Not possible at the moment.
    Unavailable,
    /// A defect of the service.
    Internal,
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A URN that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:streamtally:problem:invalid_request")]
    kind: String,
    /// The kind of problem, for people.
    #[schema(example = "The request cannot be understood")]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 400)]
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The kind of problem, for programs.
    pub(crate) code: ProblemCode,
    /// With status 400, and then always: what cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invalid_parameters: Vec<InvalidParameter>,
}

impl ProblemCode {
    /// The word that is shown.
    pub(crate) fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
    }
}

/// How many seconds to wait before asking again for what is not possible at the moment.
const RETRY_AFTER_SECONDS: &str = "2";

impl ApiError {
    /// One parameter or member that cannot be used.
    pub fn invalid(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![InvalidParameter { name: name.into(), reason: reason.into() }])
    }

    /// The one table of codes: code, status, title.
    fn kind(&self) -> (ProblemCode, StatusCode, &'static str) {
        use ProblemCode as Code;
        match self {
            Self::Invalid(_) => (Code::InvalidRequest, StatusCode::BAD_REQUEST, "The request cannot be understood"),
            Self::NotANotification(_) => {
                (Code::NotANotification, StatusCode::BAD_REQUEST, "The body is not a notification")
            }
            Self::NotVerified => (Code::NotVerified, StatusCode::UNAUTHORIZED, "The message was not verified"),
            Self::Unauthenticated => {
                (Code::Unauthenticated, StatusCode::UNAUTHORIZED, "A valid bearer token is needed")
            }
            Self::Forbidden(_) => (Code::Forbidden, StatusCode::FORBIDDEN, "The token may not do this"),
            Self::NotFound(_) => (Code::NotFound, StatusCode::NOT_FOUND, "Nothing is there"),
            Self::MethodNotAllowed(_) => {
                (Code::MethodNotAllowed, StatusCode::METHOD_NOT_ALLOWED, "The path does not answer this method")
            }
            Self::Conflict(_) => (Code::Conflict, StatusCode::CONFLICT, "It clashes with what is there"),
            Self::TooLarge(_) => (Code::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
            Self::TooSlow => (Code::TooSlow, StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time"),
            Self::UnsupportedEncoding => {
                (Code::UnsupportedEncoding, StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body's encoding is not supported")
            }
            Self::TooManyRequests(_) => {
                (Code::TooManyRequests, StatusCode::TOO_MANY_REQUESTS, "Too many requests at a time")
            }
            Self::Unavailable(_) | Self::WrongClock(_) => {
                (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "Not possible at the moment")
            }
            Self::Internal(_) => (Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, "The service failed"),
        }
    }

    /// The body of the answer.
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
        match self {
            Self::Invalid(parameters) => parameters.clone(),
            Self::NotANotification(ParseError::Missing(name)) => {
                vec![InvalidParameter { name: (*name).to_owned(), reason: "is missing".to_owned() }]
            }
            Self::NotANotification(ParseError::Malformed { name, problem }) => {
                vec![InvalidParameter { name: (*name).to_owned(), reason: problem.clone() }]
            }
            Self::NotANotification(ParseError::Milliseconds(name)) => {
                vec![InvalidParameter { name: (*name).to_owned(), reason: IN_MILLISECONDS.to_owned() }]
            }
            Self::NotANotification(error @ (ParseError::NotReadable(_) | ParseError::OtherCallback)) => {
                vec![InvalidParameter { name: "body".to_owned(), reason: error.to_string() }]
            }
            _ => Vec::new(),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.kind().1
    }

    fn error_response(&self) -> HttpResponse {
        static UNAVAILABLE: OnceASecond = OnceASecond::new();
        match self {
            Self::Internal(source) => tracing::error!(
                request_id = request_id::of_line(),
                error = &**source as &dyn std::error::Error,
                "a request failed, and will again: this is a defect of the program or of its database; report it with this line"
            ),
            // An outage fails all of them.
            Self::Unavailable(source) if UNAVAILABLE.is_due(clock::now()) => {
                let error = &**source as &dyn std::error::Error;
                tracing::error!(
                    request_id = request_id::of_line(),
                    error,
                    "requests cannot be answered at the moment: see to the database, which /readyz tells of"
                );
            }
            _ => {}
        }
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Unauthenticated => response.insert_header((header::WWW_AUTHENTICATE, "Bearer")),
            Self::UnsupportedEncoding => response.insert_header((header::ACCEPT_ENCODING, ACCEPTED)),
            Self::TooManyRequests(_) | Self::Unavailable(_) | Self::WrongClock(_) => {
                response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS))
            }
            Self::MethodNotAllowed(methods) => response.insert_header((header::ALLOW, methods.join(", "))),
            _ => &mut response,
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
