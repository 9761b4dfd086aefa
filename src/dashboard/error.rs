//! Error pages.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::{HttpResponse, ResponseError};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{ROOT, layout};
use crate::api::problem::ApiError;
use crate::report::ReportError;

#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Redirects to the sign-in page, which leads back to the requested page.
    #[error("not signed in")]
    NotSignedIn { requested: String },
    #[error("the token lacks the scope `read`")]
    MayNotRead,
    #[error("the form came from another site")]
    OtherOrigin,
    /// The same error as the API would return.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl From<ReportError> for PageError {
    fn from(error: ReportError) -> Self {
        Self::Api(error.into())
    }
}

impl From<sqlx::Error> for PageError {
    fn from(error: sqlx::Error) -> Self {
        Self::Api(error.into())
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotSignedIn { .. } => StatusCode::SEE_OTHER,
            Self::MayNotRead | Self::OtherOrigin => StatusCode::FORBIDDEN,
            Self::Api(error) => error.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        let (title, advice) = match self {
            Self::NotSignedIn { requested } => {
                let requested = utf8_percent_encode(requested, NON_ALPHANUMERIC);
                answer.insert_header((LOCATION, format!("{ROOT}/sign-in?to={requested}")));
                return answer.finish();
            }
            Self::MayNotRead => (
                "This token lacks the scope read",
                "Sign in with a token that has the scope read.".to_owned(),
            ),
            Self::OtherOrigin => (
                "This form came from another site",
                "Nothing was changed. Forms are accepted only from the pages of this service. If this was one of them, a \
                 proxy changes the Host header: configure it to pass the header on unchanged."
                    .to_owned(),
            ),
            Self::Api(error) => {
                // Writes the log line of the error.
                let _ = error.error_response();
                ("Request failed", advice_on(error))
            }
        };
        let page = layout::page_without_nav(
            title,
            &html! {
                h1 { (title) }
                p { (advice) }
                p { a href=(ROOT) { "Live streams" } " · " a href=(format!("{ROOT}/sign-in")) { "Sign in" } }
            },
        );
        answer.insert_header((CONTENT_TYPE, layout::HTML)).body(page.into_string())
    }
}

fn advice_on(error: &ApiError) -> String {
    match error {
        ApiError::NotFound(what) => format!("The {what} was not found, or you don't have access."),
        ApiError::Unavailable(_) => "The service is unavailable. Try again in a few seconds.".to_owned(),
        ApiError::Invalid(invalid) => {
            let reasons = invalid.iter().map(|invalid| format!("{} {}", invalid.name, invalid.reason));
            reasons.collect::<Vec<_>>().join("; ")
        }
        ApiError::NotANotification(_)
        | ApiError::NotVerified
        | ApiError::Unauthenticated
        | ApiError::Forbidden(_)
        | ApiError::MethodNotAllowed(_)
        | ApiError::Conflict(_)
        | ApiError::TooLarge(_)
        | ApiError::TooSlow
        | ApiError::UnsupportedEncoding
        | ApiError::TooManyRequests(_)
        | ApiError::WrongClock(_)
        | ApiError::Internal(_) => error.to_string(),
    }
}

/// For unknown paths under the dashboard.
pub async fn show_not_found() -> Result<HttpResponse, PageError> {
    Err(ApiError::NotFound("page").into())
}
