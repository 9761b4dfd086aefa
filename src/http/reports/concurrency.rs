//! `/v1/reports/concurrency`: live sessions over time, and their peak.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::parameters::{Asked, ParametersView, PeriodBound, TimeZoneSchema, read_step};
use super::timing::{Kind, Timing};
use crate::api::error_responses::CommonErrors;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::extract::{Access, RequireBilling};
use crate::model::session::Renditions;
use crate::report::concurrency::Point;
use crate::report::concurrency_report;

/// More than the minutes of a month.
const MAX_POINTS: i64 = 50_000;

/// Live sessions and streams at an instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConcurrencyPoint)]
pub struct PointView {
    /// The instant.
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    /// Live sessions.
    #[schema(minimum = 0)]
    live_sessions: u32,
    /// Streams with at least one live session.
    #[schema(minimum = 0)]
    live_streams: u32,
}

impl From<Point> for PointView {
    fn from(point: Point) -> Self {
        Self {
            at: DateTime::from_timestamp(point.at, 0).unwrap_or_default(),
            live_sessions: point.live_sessions,
            live_streams: point.live_streams,
        }
    }
}

/// Live sessions over time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Concurrency)]
pub struct ConcurrencyView {
    /// One point at `from` and after each step, before `to` and not later than `as_of`.
    pub data: Vec<PointView>,
    /// The first instant with the most live sessions, which may be between two steps; null without sessions.
    #[schema(required)]
    pub peak: Option<PointView>,
    /// The parameters, including defaults.
    pub parameters: ParametersView,
    /// The instant up to which the log counts. The same request with this `as_of` always returns the same report.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: DateTime<Utc>,
}

/// Selection and step of a concurrency report.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `ConcurrencyQuery` reads")]
pub struct ConcurrencyParameters {
    /// Start of the period (inclusive): a date in the time zone, or a whole second with an offset.
    #[param(value_type = PeriodBound, example = "2026-10-01")]
    from: String,
    /// End of the period (exclusive).
    #[param(value_type = PeriodBound, example = "2026-11-01")]
    to: String,
    /// The time zone of dates in `from` and `to`.
    #[param(value_type = Option<TimeZoneSchema>, default = "UTC")]
    time_zone: Option<String>,
    /// Time between two points: whole minutes, at most one day. A report has at most 50,000 points.
    #[param(
        min_length = 2,
        max_length = 5,
        pattern = "^([1-9][0-9]{0,2}m|1[0-3][0-9]{2}m|14[0-3][0-9]m|1440m|[1-9]h|1[0-9]h|2[0-4]h|1d)$",
        example = "1h"
    )]
    step: String,
    /// Only this ingest domain counts.
    domain: Option<String>,
    /// Only this app counts.
    app: Option<String>,
    /// Only this stream name counts.
    stream: Option<String>,
    /// Whether transcoded renditions count.
    #[param(default = "exclude")]
    renditions: Option<Renditions>,
    /// The instant up to which the log counts. Default: now. Must not be in the future.
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<String>,
}

#[derive(Debug)]
pub struct ConcurrencyQuery {
    pub asked: Asked,
    pub step_seconds: i64,
}

impl FromQuery for ConcurrencyQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let asked = Asked::read(query);
        let step_seconds = read_step(query).unwrap_or(i64::MAX);
        let seconds = (asked.selection.to - asked.selection.from).num_seconds();
        if seconds / step_seconds > MAX_POINTS {
            query.reject("step", format!("makes more than {MAX_POINTS} points of this period"));
        }
        Self { asked, step_seconds }
    }
}

/// Report concurrency
///
/// The number of live sessions and streams at every step of the period, and the peak.
#[utoipa::path(
    tag = "billing",
    params(ConcurrencyParameters),
    responses(
        (status = 200, description = "The report", body = ConcurrencyView),
        CommonErrors,
    ),
)]
#[get("/v1/reports/concurrency")]
pub async fn report_concurrency(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    Query(ConcurrencyQuery { mut asked, step_seconds }): Query<ConcurrencyQuery>,
) -> Result<Json<ConcurrencyView>, ApiError> {
    let _timing = Timing::begin(Kind::Concurrency);
    asked.selection.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let cutoff = super::close(&state, asked.as_of).await?;
    let as_of = cutoff.at;
    let (points, peak) =
        concurrency_report::count(state.report_pool.clone(), &asked.selection, step_seconds, &cutoff).await?;
    let parameters = ParametersView::of_concurrency(&asked.selection, asked.time_zone, step_seconds, as_of);
    let data = points.into_iter().map(PointView::from).collect();
    Ok(Json(ConcurrencyView { data, peak: peak.map(PointView::from), parameters, as_of }))
}
