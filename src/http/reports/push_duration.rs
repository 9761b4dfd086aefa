//! `/v1/reports/push-duration`: the push duration report.

use actix_web::http::header::{CONTENT_LOCATION, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::parameters::{Asked, MonthSchema, ParametersView, PeriodBound, TimeZoneSchema, read_layout};
use super::timing::{Kind, Timing};
use crate::api::error_responses::CommonErrors;
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::{Access, Query, RequireBilling};
use crate::http::files::{self, FileFormat, FormatRequest, Held, Workbook};
use crate::model::filter::{CsvOptions, FormatOptions};
use crate::model::report::{GroupBy, WindowSize};
use crate::model::session::Renditions;
use crate::query::Rows;
use crate::report::ReportError;
use crate::report::cutoff::ReportCutoff;
use crate::report::file;
use crate::report::file::table::{Line, Table, Wording};
use crate::report::parameters::{Layout, ReportSelection};
use crate::report::period::file_name;
use crate::report::push_duration::{NamedRow, PushDuration, RowPlace};
use crate::report::sweep::WindowTotals;

pub(crate) const CSV_EXAMPLE: &str = "domain,app,stream,window_start,window_end,sessions,sessions_started,push_seconds,\
    confirmed_seconds,estimated_seconds,open_seconds,on_air_seconds,peak_live_sessions,window_start_local,time_zone,\
    push_hours\r\n\
    push.example.com,,,2026-09-30T22:00:00Z,2026-10-31T23:00:00Z,31,30,302400,295200,7200,0,301860,2,\
    2026-10-01 00:00:00,Europe/Berlin,84.00\r\n";

/// The counts of a row or a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PushDurationCounts)]
pub struct CountsView {
    /// Sessions that were live or started in the window.
    #[schema(minimum = 0)]
    sessions: i64,
    /// Sessions that started in the window.
    #[schema(minimum = 0)]
    sessions_started: i64,
    /// Sum of `confirmed_seconds`, `estimated_seconds` and `open_seconds`.
    #[schema(minimum = 0)]
    push_seconds: i64,
    /// Seconds of sessions whose end was reported by a callback or set by an operator.
    #[schema(minimum = 0)]
    confirmed_seconds: i64,
    /// Seconds of sessions whose end was inferred.
    #[schema(minimum = 0)]
    estimated_seconds: i64,
    /// Seconds of sessions that were live at `as_of`.
    #[schema(minimum = 0)]
    open_seconds: i64,
    /// Seconds during which a stream was live, summed over streams. Overlapping pushes of one stream count once.
    #[schema(minimum = 0)]
    on_air_seconds: i64,
    /// Maximum number of sessions that were live at the same time.
    #[schema(minimum = 0)]
    peak_live_sessions: i64,
}

impl From<WindowTotals> for CountsView {
    fn from(counts: WindowTotals) -> Self {
        Self {
            sessions: counts.sessions,
            sessions_started: counts.sessions_started,
            push_seconds: counts.push_seconds(),
            confirmed_seconds: counts.confirmed_seconds,
            estimated_seconds: counts.estimated_seconds,
            open_seconds: counts.open_seconds,
            on_air_seconds: counts.on_air_seconds,
            peak_live_sessions: counts.peak_live_sessions,
        }
    }
}

impl From<CountsView> for WindowTotals {
    fn from(counts: CountsView) -> Self {
        Self {
            sessions: counts.sessions,
            sessions_started: counts.sessions_started,
            confirmed_seconds: counts.confirmed_seconds,
            estimated_seconds: counts.estimated_seconds,
            open_seconds: counts.open_seconds,
            on_air_seconds: counts.on_air_seconds,
            peak_live_sessions: counts.peak_live_sessions,
        }
    }
}

/// The counts of a group in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PushDurationRow)]
pub struct RowView {
    /// Ingest domain, if rows are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    /// App, if rows are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    /// Stream name, if rows are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    /// Start of the window (inclusive), clipped to the period.
    #[schema(value_type = String, format = DateTime)]
    window_start: DateTime<Utc>,
    /// End of the window (exclusive), clipped to the period.
    #[schema(value_type = String, format = DateTime)]
    window_end: DateTime<Utc>,
    #[serde(flatten)]
    counts: CountsView,
}

impl From<NamedRow> for RowView {
    fn from(row: NamedRow) -> Self {
        Self {
            domain: row.name.domain,
            app: row.name.app,
            stream: row.name.stream,
            window_start: row.window_start,
            window_end: row.window_end,
            counts: row.counts.into(),
        }
    }
}

/// A page of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PushDurationPage)]
pub struct PushDurationPageView {
    /// The rows, ordered by window and name.
    data: Vec<RowView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Totals of the whole report, not of this page.
    totals: CountsView,
    /// The parameters, including defaults.
    parameters: ParametersView,
    /// The instant up to which the log counts. The same request with this `as_of` always returns the same report.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

/// The start of the next page, and the values that all pages share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PagePlace {
    as_of: DateTime<Utc>,
    /// The period, which `last_month` would name differently after the end of a month.
    period: (DateTime<Utc>, DateTime<Utc>),
    visibility: String,
    totals: CountsView,
    after: RowPlace,
}

/// Selection and layout of a push duration report.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `PushDurationQuery` reads")]
pub struct PushDurationParameters {
    /// Start of the period (inclusive): a date in the time zone, or a whole second with an offset.
    #[param(value_type = Option<PeriodBound>, example = "2026-10-01")]
    from: Option<String>,
    /// End of the period (exclusive).
    #[param(value_type = Option<PeriodBound>, example = "2026-11-01")]
    to: Option<String>,
    /// Instead of `from` and `to`: a month in the time zone, or `last_month`, which is the one before that of `as_of`.
    #[param(value_type = Option<MonthSchema>)]
    month: Option<String>,
    /// The time zone of the windows and of dates in `from` and `to`.
    #[param(value_type = Option<TimeZoneSchema>, default = "UTC")]
    time_zone: Option<String>,
    /// The windows that divide the period.
    #[param(default = "none")]
    window: Option<WindowSize>,
    /// How the rows are grouped.
    #[param(default = "domain")]
    group_by: Option<GroupBy>,
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
pub struct PushDurationQuery {
    pub asked: Asked,
    pub layout: Layout,
}

impl FromQuery for PushDurationQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let asked = Asked::read(query);
        let layout = read_layout(query, asked.time_zone);
        Self { asked, layout }
    }
}

#[derive(Debug)]
pub struct ReportQuery {
    format: FormatRequest,
    page: PageRequest<PagePlace>,
    report: PushDurationQuery,
}

impl FromQuery for ReportQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let format = FormatRequest::read(query);
        Self { format, page: PageRequest::from_query(query), report: PushDurationQuery::from_query(query) }
    }
}

/// Report push duration
///
/// The push duration of a period in seconds, by window and group. In each window, a session counts from its start or the
/// start of the window until its end, the end of the window, or `as_of`, whichever is first. Rows with zero seconds are omitted.
///
/// JSON comes in pages. The files are the whole report: CSV for programs (`format=csv` or `Accept: text/csv`) always has the
/// same columns, and names that a spreadsheet could read as a formula get an apostrophe in front. A workbook for Excel
/// (`format=xlsx`, or its media type in `Accept`) has local times, hours and a total, and a second sheet that explains them;
/// names are text cells. More rows than a sheet holds, 1,048,574, are answered 400.
///
/// The `Content-Location` of a file and of a first page is a request that always returns the same report.
#[utoipa::path(
    tag = "billing",
    params(
        PushDurationParameters,
        FormatOptions,
        CsvOptions,
        PageParameters,
    ),
    responses(
        (
            status = 200,
            description = "The report",
            content(
                (PushDurationPageView = "application/json"),
                (String = "text/csv", example = json!(CSV_EXAMPLE)),
                (Workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ),
            headers(("Content-Location" = String, description = "The same request with its `as_of`")),
        ),
        CommonErrors,
    ),
)]
#[get("/v1/reports/push-duration")]
pub async fn report_push_duration(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    request: HttpRequest,
    Query(query): Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let timing = Timing::begin(Kind::PushDuration);
    let PushDurationQuery { mut asked, layout } = query.report;
    asked.selection.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let file = query.format.resolve(&request)?;
    if let Some(place) = &query.page.after {
        (asked.selection.from, asked.selection.to) = place.period;
    }
    let as_of = query.page.after.as_ref().map(|place| place.as_of).or(asked.as_of);
    let cutoff = super::close(&state, as_of).await?;
    let parameters = ParametersView::of_push_duration(&asked.selection, layout, cutoff.at);
    let location = format!("{}?{}", request.path(), parameters.to_query());
    let Some(format) = file else {
        let mut answer = HttpResponse::Ok();
        if query.page.after.is_none() {
            answer.insert_header((CONTENT_LOCATION, format!("{location}&limit={}", query.page.limit)));
        }
        return Ok(answer.json(page(&state, &asked.selection, layout, &query.page, parameters, &cutoff).await?));
    };
    let held = Held::take(&state, &principal, format, timing)?;
    let wording = Wording::english("Push duration");
    let mut answer = file_of(&state, &asked.selection, layout, &cutoff, format, wording, held).await?;
    let location = HeaderValue::try_from(format!("{location}&{}", format.to_query()));
    answer.headers_mut().insert(CONTENT_LOCATION, location.map_err(|error| ApiError::Internal(error.into()))?);
    Ok(answer)
}

/// A report as a file.
///
/// # Errors
/// The report fails before its first bytes.
pub async fn file_of(
    state: &AppState,
    selection: &ReportSelection,
    layout: Layout,
    cutoff: &ReportCutoff,
    format: FileFormat,
    wording: Wording,
    held: Held,
) -> Result<HttpResponse, ApiError> {
    let report = PushDuration::begin(state.report_pool.clone(), selection, layout, cutoff, None);
    let (table, lines) = tabulate(report, (selection, layout), cutoff.at, format, wording);
    files::respond(format, &file_name(selection, layout), table, lines, held).await
}

/// The table of a report's file, and its lines.
pub fn tabulate(
    report: PushDuration,
    (selection, layout): (&ReportSelection, Layout),
    as_of: DateTime<Utc>,
    format: FileFormat,
    wording: Wording,
) -> (Table, impl Stream<Item = Result<Line, ReportError>> + Send + 'static) {
    let columns = match format {
        FileFormat::Csv { .. } => file::push_duration::CSV.to_vec(),
        FileFormat::Xlsx => file::push_duration::xlsx_columns(layout.group_by),
    };
    let table = file::push_duration::table(&columns, (selection, layout), as_of, wording);
    (table, file::push_duration::lines(report, columns, (selection.from, selection.to)))
}

/// The totals in a cursor are only valid for callers who see the same domains.
fn visibility_hash(selection: &ReportSelection) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(&selection.visible_domains).unwrap_or_default()))
}

async fn page(
    state: &AppState,
    selection: &ReportSelection,
    layout: Layout,
    page: &PageRequest<PagePlace>,
    parameters: ParametersView,
    cutoff: &ReportCutoff,
) -> Result<PushDurationPageView, ApiError> {
    let as_of = cutoff.at;
    let visibility = visibility_hash(selection);
    if page.after.as_ref().is_some_and(|place| place.visibility != visibility) {
        return Err(ApiError::invalid("cursor", "is not a cursor of this list with these filters"));
    }
    let after = page.after.as_ref().map(|place| place.after.clone());
    let mut report = PushDuration::begin(state.report_pool.clone(), selection, layout, cutoff, after);
    let mut rows = Vec::new();
    while rows.len() <= usize::from(page.limit)
        && let Some(row) = report.next_row().await?
    {
        rows.push(row);
    }
    let totals = match &page.after {
        Some(place) => place.totals.clone(),
        None => report.finish().await?.into(),
    };
    let place = |row: &NamedRow| PagePlace {
        as_of,
        period: (selection.from, selection.to),
        visibility: visibility.clone(),
        totals: totals.clone(),
        after: row.place(),
    };
    let (data, next_cursor) = page.page(Rows::of(rows, page.limit), place, RowView::from);
    Ok(PushDurationPageView { data, next_cursor, totals, parameters, as_of })
}
