//! What cannot be shown, and why, as a page.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::{HttpResponse, ResponseError};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{ROOT, frame};
use crate::api::problem::ApiError;
use crate::report::ReportError;

/// Why a page is not shown.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Nobody is signed in: they are asked to, and then shown what they wanted.
    #[error("nobody is signed in")]
    NotSignedIn {
        /// The page that was asked for.
        wanted: String,
    },
    /// The token may not read.
    #[error("the token does not have the scope `read`")]
    MayNotRead,
    /// A form of another origin, or so it seems.
    #[error("the form is not of a page of this service")]
    OtherOrigin,
    /// What the API would answer.
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
            Self::NotSignedIn { wanted } => {
                let wanted = utf8_percent_encode(wanted, NON_ALPHANUMERIC);
                answer.insert_header((LOCATION, format!("{ROOT}/sign-in?to={wanted}")));
                return answer.finish();
            }
            Self::MayNotRead => (
                "This token may not look",
                "It lacks the scope read. Sign out, and in again with another one.".to_owned(),
            ),
            Self::OtherOrigin => (
                "This form came from another site",
                "Nothing was done: forms are taken from the pages of this service alone. If it was one of them, a proxy \
                 changes the header Host, which it must pass on as it is."
                    .to_owned(),
            ),
            Self::Api(error) => {
                // It says what failed to the log.
                let _ = error.error_response();
                ("This cannot be shown", advice_on(error))
            }
        };
        let page = frame::bare(
            title,
            &html! {
                h1 { (title) }
                p { (advice) }
                p { a href=(ROOT) { "What is live" } " · " a href=(format!("{ROOT}/sign-in")) { "Sign in" } }
            },
        );
        answer.insert_header((CONTENT_TYPE, frame::HTML)).body(page.into_string())
    }
}

fn advice_on(error: &ApiError) -> String {
    match error {
        ApiError::NotFound(what) => format!("There is no such {what}, or it is not yours to see."),
        ApiError::Unavailable(_) => "The service cannot do this at the moment. Try again in a few seconds.".to_owned(),
        ApiError::Invalid(invalid) => {
            let reasons = invalid.iter().map(|invalid| format!("{} {}", invalid.name, invalid.reason));
            reasons.collect::<Vec<_>>().join("; ")
        }
        _ => error.to_string(),
    }
}

/// For paths under the dashboard that are not there.
pub async fn show_nothing() -> Result<HttpResponse, PageError> {
    Err(ApiError::NotFound("page").into())
}
