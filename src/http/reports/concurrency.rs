//! `/v1/reports/concurrency`: how much was on air, and at most.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::parameters::{Asked, ParametersView, PeriodBound, TimeZoneWord, read_step};
use super::timing::{Kind, Timing};
use crate::api::error_responses::Refusals;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::extract::{Access, Billing};
use crate::model::session::Renditions;
use crate::report::concurrency::Point;
use crate::report::concurrency_report;

/// The most points of one report: more than a month has minutes.
const MOST_POINTS: i64 = 50_000;

/// How much was on air at an instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConcurrencyPoint)]
pub struct PointView {
    /// The instant.
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    /// Sessions.
    #[schema(minimum = 0)]
    live_sessions: u32,
    /// Streams with at least one of them.
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

/// How much was on air.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Concurrency)]
pub struct ConcurrencyView {
    /// At `from`, and at each step from there, before `to` and not after `as_of`.
    pub data: Vec<PointView>,
    /// The first instant at which the most sessions were on air, whether or not a step falls on it; null if none ever was.
    #[schema(required)]
    pub peak: Option<PointView>,
    /// What was asked for, with all that was left out.
    pub parameters: ParametersView,
    /// The moment: the same request with this `as_of` is answered the same for ever.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: DateTime<Utc>,
}

/// What is counted, and how often.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `ConcurrencyQuery` reads")]
pub struct ConcurrencyParameters {
    /// Begin of the period: a date in the time zone, or a whole second with an offset.
    #[param(value_type = PeriodBound)]
    from: String,
    /// End of the period, exclusive.
    #[param(value_type = PeriodBound)]
    to: String,
    /// Whose dates `from` and `to` are.
    #[param(value_type = Option<TimeZoneWord>, default = "UTC")]
    time_zone: Option<String>,
    /// From one instant to the next: whole minutes, at most a day. A report has 50,000 instants at most.
    #[param(
        min_length = 2,
        max_length = 5,
        pattern = "^([1-9][0-9]{0,2}m|1[0-3][0-9]{2}m|14[0-3][0-9]m|1440m|[1-9]h|1[0-9]h|2[0-4]h|1d)$",
        example = "5m"
    )]
    step: String,
    /// The only ingest domain that counts.
    domain: Option<String>,
    /// The only application that counts.
    app: Option<String>,
    /// The only stream name that counts.
    stream: Option<String>,
    /// Whether transcoded renditions count.
    #[param(value_type = Option<Renditions>, default = "exclude")]
    renditions: Option<String>,
    /// The moment: what was recorded later does not count. Now when left out; not in the future.
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<String>,
}

/// What is asked for.
#[derive(Debug)]
pub struct ConcurrencyQuery {
    /// Which pushes.
    pub asked: Asked,
    /// From one instant to the next.
    pub step_seconds: i64,
}

impl FromQuery for ConcurrencyQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let asked = Asked::read(query);
        let step_seconds = read_step(query).unwrap_or(i64::MAX);
        let seconds = (asked.scope.to - asked.scope.from).num_seconds();
        if seconds / step_seconds > MOST_POINTS {
            query.refuse("step", format!("makes more than {MOST_POINTS} instants of this period"));
        }
        Self { asked, step_seconds }
    }
}

/// Report concurrency
///
/// How many sessions and streams were on air at instants that follow each other by a step, and the most there ever were.
#[utoipa::path(
    tag = "billing",
    params(ConcurrencyParameters),
    responses(
        (status = 200, description = "The report", body = ConcurrencyView),
        Refusals,
    ),
)]
#[get("/v1/reports/concurrency")]
pub async fn report_concurrency(
    Access { principal, .. }: Access<Billing>,
    state: Data<AppState>,
    Query(ConcurrencyQuery { mut asked, step_seconds }): Query<ConcurrencyQuery>,
) -> Result<Json<ConcurrencyView>, ApiError> {
    let _timing = Timing::begin(Kind::Concurrency);
    asked.scope.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let moment = super::close(&state, asked.as_of).await?;
    let as_of = moment.at;
    let (points, peak) =
        concurrency_report::count(state.report_pool.clone(), &asked.scope, step_seconds, &moment).await?;
    let parameters = ParametersView::of_concurrency(&asked.scope, asked.time_zone, step_seconds, as_of);
    let data = points.into_iter().map(PointView::from).collect();
    Ok(Json(ConcurrencyView { data, peak: peak.map(PointView::from), parameters, as_of }))
}
