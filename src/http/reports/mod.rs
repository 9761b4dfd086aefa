//! `/v1/reports` and `/v1/sealed-reports`. Scope `billing`; for concurrency, `read` is enough.

pub(crate) mod concurrency;
pub(crate) mod counted;
mod parameters;
pub(crate) mod push_duration;
pub(crate) mod sealed;
pub(crate) mod timing;

use chrono::{DateTime, Utc};

pub use parameters::{Asked, ChartBound, MonthSchema, ParametersView, PeriodBound, TimeZoneSchema};

use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::report::cutoff::ReportCutoff;
use crate::report::{ReportError, concurrency_report, cutoff};

pub(crate) async fn close(state: &AppState, as_of: Option<DateTime<Utc>>) -> Result<ReportCutoff, ApiError> {
    Ok(cutoff::close(&state.work_pool, &state.report_pool, as_of, state.clock_tolerance).await?)
}

impl From<ReportError> for ApiError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Future => Self::invalid("as_of", "must not be in the future"),
            ReportError::WrongClock(clock) => Self::WrongClock(clock),
            ReportError::NotFolded | ReportError::File(_) => Self::Unavailable(error.into()),
            ReportError::TooManyPoints => {
                let most = concurrency_report::MAX_SERIES_POINTS;
                Self::invalid(
                    "step",
                    format!("makes more than {most} points in all series: choose a longer step, or a domain"),
                )
            }
            ReportError::Withdrawn => Self::Conflict(error.to_string()),
            ReportError::TooManyRows(_) => {
                Self::invalid("format", format!("{error}: shorten the period, or choose csv or fewer groups"))
            }
            ReportError::Database(error) => error.into(),
        }
    }
}
