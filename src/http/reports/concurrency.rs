//! `/v1/reports/concurrency`: live sessions over time, and their peak.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::parameters::{Asked, ChartBound, MonthSchema, ParametersView, TimeZoneSchema, read_step};
use super::timing::{Kind, Timing};
use crate::api::error_responses::CommonErrors;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::{Access, Query, RequireReadOrBilling};
use crate::http::files::{self, FileFormat, FormatRequest, Held, Workbook};
use crate::model::filter::{CsvOptions, FormatOptions};
use crate::model::parameter::Parameters;
use crate::model::report::GroupBy;
use crate::model::session::{LiveGrouping, Renditions};
use crate::report::ReportError;
use crate::report::concurrency::Point;
use crate::report::concurrency_report::{self, LivePushes, PointRow};
use crate::report::file;
use crate::report::file::table::{Line, Table, Wording};
use crate::report::period::period_name;

/// As many as Grafana asks for at most.
const MAX_POINTS: i64 = 11_000;

/// Live sessions and streams at an instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConcurrencyPoint)]
pub struct PointView {
    /// Ingest domain, if points are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    /// App, if points are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
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

impl From<PointRow> for PointView {
    fn from(PointRow { domain, app, point }: PointRow) -> Self {
        Self {
            domain,
            app,
            at: DateTime::from_timestamp(point.at, 0).unwrap_or_default(),
            live_sessions: point.live_sessions,
            live_streams: point.live_streams,
        }
    }
}

impl From<Point> for PointView {
    fn from(point: Point) -> Self {
        PointRow { domain: None, app: None, point }.into()
    }
}

/// Live sessions over time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Concurrency)]
pub struct ConcurrencyView {
    /// One point at `from` and after each step, before `to` and not later than `as_of`. With `group_by`, one for each group
    /// that was live in the period, ordered by time, then by name.
    pub data: Vec<PointView>,
    /// The first instant with the most live sessions of all groups together, which may be between two steps; null without
    /// sessions.
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
    /// Start of the period (inclusive): a date in the time zone, a time with an offset, or milliseconds since 1970. A fraction
    /// of a second is dropped.
    #[param(value_type = Option<ChartBound>, example = "2026-10-01")]
    from: Option<String>,
    /// End of the period (exclusive).
    #[param(value_type = Option<ChartBound>, example = "2026-11-01")]
    to: Option<String>,
    /// Instead of `from` and `to`: a month in the time zone, or `last_month`.
    #[param(value_type = Option<MonthSchema>)]
    month: Option<String>,
    /// The time zone of dates in `from` and `to`.
    #[param(value_type = Option<TimeZoneSchema>, default = "UTC")]
    time_zone: Option<String>,
    /// Time between two points: whole seconds, at most 31 days, such as `30s`, `5m`, `1h` or `7d`. A series has at most 11,000
    /// points, all series together 50,000.
    #[param(
        min_length = 2,
        max_length = 7,
        pattern = "^([1-9][0-9]{0,5}s|[1-9][0-9]{0,3}m|[1-9][0-9]{0,1}h|([1-9]|[12][0-9]|3[01])d)$",
        example = "1h"
    )]
    step: String,
    /// Whether each domain or app is a series of its own. Default: one series.
    group_by: Option<LiveGrouping>,
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
    pub group_by: GroupBy,
}

impl FromQuery for ConcurrencyQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let asked = Asked::read_for_chart(query);
        let seconds = (asked.selection.to - asked.selection.from).num_seconds();
        let step_seconds = read_step(query).unwrap_or(seconds.max(1));
        let points = (seconds + step_seconds - 1) / step_seconds;
        if points > MAX_POINTS {
            query.reject(
                "step",
                format!("makes {points} points of this period, more than {MAX_POINTS}: choose a longer step"),
            );
        }
        let group_by = match query.get("group_by") {
            None => GroupBy::NOTHING,
            Some(LiveGrouping::Domain) => GroupBy { domain: true, app: false, stream: false },
            Some(LiveGrouping::DomainAndApp) => GroupBy { domain: true, app: true, stream: false },
        };
        Self { asked, step_seconds, group_by }
    }
}

/// A concurrency report, and its format.
pub struct ConcurrencyRequest {
    format: FormatRequest,
    report: ConcurrencyQuery,
}

impl FromQuery for ConcurrencyRequest {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { format: FormatRequest::read(query), report: ConcurrencyQuery::from_query(query) }
    }
}

const CSV_EXAMPLE: &str = "domain,app,at,live_sessions,live_streams,at_local,time_zone\r\n\
    push.example.com,,2026-09-30T22:00:00Z,2,2,2026-10-01 00:00:00,Europe/Berlin\r\n";

/// Report concurrency
///
/// The number of live sessions and streams at every step of the period, and the peak. Needs the scope `read` or `billing`. Accepts
/// what Grafana sends: times in milliseconds and steps of seconds.
///
/// CSV and workbooks have a row per point; a workbook has the peak on its second sheet.
#[utoipa::path(
    tags = ["dashboards", "billing"],
    params(ConcurrencyParameters, FormatOptions, CsvOptions),
    responses(
        (
            status = 200,
            description = "The report",
            content(
                (ConcurrencyView = "application/json"),
                (String = "text/csv", example = json!(CSV_EXAMPLE)),
                (Workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ),
        ),
        CommonErrors,
    ),
)]
#[get("/v1/reports/concurrency")]
pub async fn report_concurrency(
    Access { principal, .. }: Access<RequireReadOrBilling>,
    state: Data<AppState>,
    request: HttpRequest,
    Query(ConcurrencyRequest { format, report }): Query<ConcurrencyRequest>,
) -> Result<HttpResponse, ApiError> {
    let timing = Timing::begin(Kind::Concurrency);
    let ConcurrencyQuery { mut asked, step_seconds, group_by } = report;
    asked.selection.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let file = format.resolve(&request)?;
    let cutoff = super::close(&state, asked.as_of).await?;
    let as_of = cutoff.at;
    let counted =
        concurrency_report::count(state.report_pool.clone(), &asked.selection, step_seconds, group_by, &cutoff).await?;
    let Some(format) = file else {
        let parameters =
            ParametersView::of_concurrency(&asked.selection, asked.time_zone, step_seconds, group_by, as_of);
        let peak = counted.peak.map(PointView::from);
        let view = ConcurrencyView { data: points(counted, group_by), peak, parameters, as_of };
        return Ok(HttpResponse::Ok().json(view));
    };
    let held = Held::take(&state, &principal, format, timing)?;
    let parameters =
        file::concurrency::Parameters { selection: &asked.selection, zone: asked.time_zone, step_seconds, as_of };
    let (table, lines) = tabulate(counted, group_by, &parameters, format);
    let name = format!("concurrency-{}", period_name(&asked.selection, asked.time_zone));
    files::respond(format, &name, table, lines, held).await
}

/// The table of a report's file, and its lines.
pub fn tabulate(
    counted: LivePushes,
    group_by: GroupBy,
    parameters: &file::concurrency::Parameters<'_>,
    format: FileFormat,
) -> (Table, impl Stream<Item = Result<Line, ReportError>> + Send + 'static) {
    let columns = match format {
        FileFormat::Csv { .. } => file::concurrency::CSV.to_vec(),
        FileFormat::Xlsx => file::concurrency::xlsx_columns(group_by),
    };
    let table = file::concurrency::table(&columns, parameters, counted.peak, Wording::english("Concurrency"));
    (table, file::concurrency::lines(counted.rows(group_by), columns))
}

/// The points, ordered by time, then by name.
pub(crate) fn points(counted: LivePushes, group_by: GroupBy) -> Vec<PointView> {
    counted.rows(group_by).into_iter().map(PointView::from).collect()
}
