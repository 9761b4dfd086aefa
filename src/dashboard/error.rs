//! What a page may fail with; `error_page` shows it.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, ResponseError};

use super::links;
use crate::api::problem::ApiError;
use crate::report::ReportError;

#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Redirects to the sign-in page, which leads back to the requested page.
    #[error("not signed in")]
    NotSignedIn { requested: String },
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
            Self::OtherOrigin => StatusCode::FORBIDDEN,
            Self::Api(error) => error.status_code(),
        }
    }

    /// Without a body: `error_page` adds it, because only it knows the visitor.
    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        match self {
            Self::NotSignedIn { requested } => {
                answer.insert_header((LOCATION, links::with(&links::sign_in(), &[("to", Some(requested))])));
            }
            Self::OtherOrigin => {}
            // Writes the log line of the error.
            Self::Api(error) => drop(error.error_response()),
        }
        answer.finish()
    }
}
