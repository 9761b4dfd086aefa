//! `/v1/sealed-reports`: reports that are stored byte for byte.
//!
//! A report is sealed in its own task, so that it completes also if the caller disconnects.

use std::time::Duration;

use actix_web::http::header::{self, CONTENT_DISPOSITION};
use actix_web::web::{Bytes, Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use uuid::Uuid;

use super::parameters::{ParametersView, PeriodBound, TimeZoneSchema, TimestampSchema};
use super::push_duration::{CSV_EXAMPLE, CountsView, PushDurationQuery, preferred_format};
use super::timing::{Kind, Timing};
use crate::access::Principal;
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse, PayloadErrors};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::extract::{Access, Body, RequireAdmin, RequireBilling};
use crate::model::filter::{Filter, FormatOptions};
use crate::model::report::{GroupBy, ReportFormat, SealedReportStatus, WindowSize};
use crate::model::session::Renditions;
use crate::platform::clock;
use crate::query::Rows;
use crate::report::push_duration::{PushDuration, RowPlace};
use crate::report::sealed::{self, Difference, Label};
use crate::store;
use crate::store::sealed_report::SealedReportRow;

/// How long a request waits for sealing. Shorter than the response timeout.
const SEALING_TIMEOUT: Duration = Duration::from_secs(10);

const RETRY_AFTER_SECONDS: &str = "5";

/// The parameters of the report, as of `/v1/reports/push-duration`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SealReport)]
#[expect(dead_code, reason = "only documents what `PushDurationQuery` reads")]
pub struct SealBody {
    /// Start of the period (inclusive): a date in the time zone, or a whole second with an offset.
    #[schema(value_type = PeriodBound)]
    from: String,
    /// End of the period (exclusive).
    #[schema(value_type = PeriodBound)]
    to: String,
    /// The time zone of the windows and of dates in `from` and `to`.
    #[schema(value_type = Option<TimeZoneSchema>, default = "UTC")]
    time_zone: Option<String>,
    /// The windows that divide the period.
    #[schema(value_type = Option<WindowSize>, default = "none")]
    window: Option<String>,
    /// How the rows are grouped.
    #[schema(value_type = Option<GroupBy>, default = "domain")]
    group_by: Option<String>,
    /// Only this ingest domain counts.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    domain: Option<String>,
    /// Only this app counts.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    app: Option<String>,
    /// Only this stream name counts.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    stream: Option<String>,
    /// Whether transcoded renditions count.
    #[schema(value_type = Option<Renditions>, default = "exclude")]
    renditions: Option<String>,
    /// The instant up to which the log counts. Default: now. Must not be in the future.
    #[schema(value_type = Option<TimestampSchema>)]
    as_of: Option<String>,
}

/// A report that is stored byte for byte.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SealedReport)]
pub struct SealedReportView {
    /// ID.
    sealed_report_id: Uuid,
    /// Status of sealing.
    status: SealedReportStatus,
    /// Start of sealing.
    #[schema(value_type = String, format = DateTime)]
    sealed_at: DateTime<Utc>,
    /// Name of the token that sealed it.
    sealed_by: String,
    /// The instant up to which the log counts.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
    /// SHA-256 of the CSV in hexadecimal; null unless sealed.
    #[schema(required, min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    sha256: Option<String>,
    /// Number of rows; null unless sealed.
    #[schema(required, minimum = 0)]
    rows: Option<i64>,
    /// Size of the CSV in bytes; null unless sealed.
    #[schema(required, minimum = 0)]
    bytes: Option<i64>,
    /// Totals; null unless sealed.
    #[schema(required, value_type = Option<CountsView>)]
    totals: Option<Value>,
    /// The parameters, including defaults.
    #[schema(value_type = ParametersView)]
    parameters: Value,
}

impl From<SealedReportRow> for SealedReportView {
    fn from(row: SealedReportRow) -> Self {
        Self {
            sealed_report_id: row.sealed_report_id,
            status: row.status,
            sealed_at: row.sealed_at,
            sealed_by: row.actor,
            as_of: row.as_of,
            sha256: row.sha256.map(hex::encode),
            rows: row.row_count,
            bytes: row.byte_count,
            totals: row.totals,
            parameters: row.parameters,
        }
    }
}

/// A page of sealed reports.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SealedReportPage)]
pub struct SealedReportPageView {
    /// The reports, newest first.
    data: Vec<SealedReportView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Seal a report
///
/// Computes a push duration report and stores it byte for byte, as CSV, with its SHA-256. Later events do not change it, so it
/// proves what was billed.
///
/// If this takes longer than 10 seconds, the response is 202 with the status `sealing`, and sealing continues in the
/// background, also if the caller disconnects. Get the report until its status is `sealed` or `failed`.
#[utoipa::path(
    tag = "billing",
    request_body = SealBody,
    responses(
        (
            status = 201,
            description = "Sealed",
            body = SealedReportView,
            headers(("Location" = String, description = "Path of the sealed report")),
        ),
        (
            status = 202,
            description = "Still sealing",
            body = SealedReportView,
            headers(
                ("Location" = String, description = "Path of the sealed report"),
                ("Retry-After" = u32, description = "Seconds to wait before the next request"),
            ),
        ),
        CommonErrors,
        PayloadErrors,
        ConflictResponse,
    ),
)]
#[post("/v1/sealed-reports")]
pub async fn seal_report(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    _: Query<NoParameters>,
    Body(members): Body<Map<String, Value>>,
) -> Result<HttpResponse, ApiError> {
    let sealed = seal(&state, &principal, members).await?;
    let location = (header::LOCATION, format!("/v1/sealed-reports/{}", sealed.sealed_report_id));
    let mut answer = match sealed.status {
        SealedReportStatus::Sealed => HttpResponse::Created(),
        SealedReportStatus::Sealing | SealedReportStatus::Failed => {
            let mut answer = HttpResponse::Accepted();
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
            answer
        }
    };
    Ok(answer.insert_header(location).json(SealedReportView::from(sealed)))
}

/// Computes and stores a report. After 10 s, sealing continues in the background, and the report is returned
/// unfinished.
///
/// # Errors
/// The parameters are invalid, or the report failed.
pub async fn seal(
    state: &AppState,
    principal: &Principal,
    members: Map<String, Value>,
) -> Result<SealedReportRow, ApiError> {
    let mut reader = QueryReader::of_members("/v1/sealed-reports", members);
    let PushDurationQuery { mut asked, layout } = PushDurationQuery::read(&mut reader);
    reader.reject_unknown()?;
    let (timing, answer_at) = (Timing::begin(Kind::SealedReport), Instant::now() + SEALING_TIMEOUT);
    let share = state.sealings.try_take(principal)?;
    asked.selection.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let cutoff = super::close(state, asked.as_of).await?;
    let as_of = cutoff.at;
    let parameters = ParametersView::of_push_duration(&asked.selection, layout, as_of);
    let label = Label {
        as_of,
        actor: principal.actor.name.clone(),
        visible_domains: asked.selection.visible_domains.clone(),
        parameters: json(&parameters),
    };
    let begun = sealed::begin(&state.work_pool, label, clock::now()).await?;
    let report = PushDuration::begin(state.report_pool.clone(), &asked.selection, layout, &cutoff, None);
    let (pool, sealed_report_id) = (state.work_pool.clone(), begun.sealed_report_id);
    let (done, sealed) = oneshot::channel();
    tokio::spawn(async move {
        let totals = |counts| json(&CountsView::from(counts));
        let sealed = sealed::seal(&pool, sealed_report_id, report, totals).await;
        drop((timing, share));
        if let Err(Err(error)) = done.send(sealed) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, %sealed_report_id, "could not seal a report in the background: seal it again");
        }
    });
    match timeout_at(answer_at, sealed).await {
        Ok(sealed) => Ok(sealed.unwrap_or(Err(sqlx::Error::WorkerCrashed.into()))?),
        Err(_) => Ok(begun),
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

pub struct ListSealedQuery {
    page: PageRequest<(DateTime<Utc>, Uuid)>,
}

impl FromQuery for ListSealedQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// List sealed reports
///
/// Newest first, including reports that are still sealing or have failed. A token that is bound to domains sees only reports
/// that count no other domains.
#[utoipa::path(
    tag = "billing",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of sealed reports", body = SealedReportPageView),
        CommonErrors,
    ),
)]
#[get("/v1/sealed-reports")]
pub async fn list_sealed_reports(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    Query(ListSealedQuery { page }): Query<ListSealedQuery>,
) -> Result<Json<SealedReportPageView>, ApiError> {
    let (visible, limit) = (principal.visible_domains(), i64::from(page.limit) + 1);
    let rows = store::sealed_report::list_sealed_reports(&state.work_pool, visible, page.after, limit).await?;
    let rows = Rows::of(rows, page.limit);
    let (data, next_cursor) = page.page(rows, |row| (row.sealed_at, row.sealed_report_id), SealedReportView::from);
    Ok(Json(SealedReportPageView { data, next_cursor }))
}

impl FromQuery for FormatOptions {
    fn from_query(query: &mut QueryReader) -> Self {
        Self::read(query)
    }
}

/// Get a sealed report
///
/// Returns the metadata, or with `format=csv` or `Accept: text/csv` the report itself, whose hash is `sha256`. CSV returns 409
/// unless the report is sealed.
#[utoipa::path(
    tag = "billing",
    params(
        ("sealed_report_id" = Uuid, Path, description = "The ID of the sealed report"),
        FormatOptions,
    ),
    responses(
        (
            status = 200,
            description = "The report",
            content((SealedReportView = "application/json"), (String = "text/csv", example = json!(CSV_EXAMPLE))),
        ),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
    ),
)]
#[get("/v1/sealed-reports/{sealed_report_id}")]
pub async fn get_sealed_report(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    request: HttpRequest,
    sealed_report_id: Path<String>,
    Query(FormatOptions { format }): Query<FormatOptions>,
) -> Result<HttpResponse, ApiError> {
    let report = find(&state, &principal, &sealed_report_id).await?;
    if format.unwrap_or_else(|| preferred_format(&request)) == ReportFormat::Json {
        return Ok(HttpResponse::Ok().json(SealedReportView::from(report)));
    }
    require_sealed(&report)?;
    let name = format!("attachment; filename=\"sealed-report-{}.csv\"", report.sealed_report_id);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"))
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(parts(state, report.sealed_report_id)))
}

fn parts(state: Data<AppState>, id: Uuid) -> impl futures_util::Stream<Item = Result<Bytes, ApiError>> {
    stream::unfold(Some(0), move |number| {
        let state = state.clone();
        async move {
            let number: i32 = number?;
            match store::sealed_report::get_part(&state.work_pool, id, number).await {
                Ok(part) => part.map(|part| (Ok(part.into()), Some(number + 1))),
                Err(error) => Some((Err(error.into()), None)),
            }
        }
    })
}

async fn find(state: &AppState, principal: &Principal, id: &str) -> Result<SealedReportRow, ApiError> {
    let missing = || ApiError::NotFound("sealed report");
    let id = Uuid::try_parse(id).map_err(|_| missing())?;
    let report = store::sealed_report::get_sealed_report(&state.work_pool, principal.visible_domains(), id).await?;
    report.ok_or_else(missing)
}

fn require_sealed(report: &SealedReportRow) -> Result<(), ApiError> {
    let reason = match report.status {
        SealedReportStatus::Sealed => return Ok(()),
        SealedReportStatus::Sealing => "the report is still sealing",
        SealedReportStatus::Failed => "sealing failed: seal the report again",
    };
    Err(ApiError::Conflict(reason.to_owned()))
}

/// Delete a sealed report
///
/// Also deletes a report that is still sealing or has failed. The audit log records its metadata, its SHA-256, and the actor.
#[utoipa::path(
    tag = "administration",
    params(("sealed_report_id" = Uuid, Path, description = "The ID of the sealed report")),
    responses(
        (status = 204, description = "Deleted"),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[delete("/v1/sealed-reports/{sealed_report_id}")]
pub async fn delete_sealed_report(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    sealed_report_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let missing = || ApiError::NotFound("sealed report");
    let id = Uuid::try_parse(&sealed_report_id).map_err(|_| missing())?;
    let deleted = sealed::delete(&state.work_pool, &principal.actor, id, clock::now()).await?;
    if deleted { Ok(HttpResponse::NoContent().finish()) } else { Err(missing()) }
}

/// A row that differs today.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SealedDifference)]
pub struct DifferenceView {
    /// Ingest domain, if rows are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    /// App, if rows are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    /// Stream name, if rows are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    /// Start of the window (inclusive).
    #[schema(value_type = String, format = DateTime)]
    window_start: DateTime<Utc>,
    /// End of the window (exclusive).
    #[schema(value_type = String, format = DateTime)]
    window_end: DateTime<Utc>,
    /// Sealed counts; null if the row is new.
    #[schema(required)]
    old: Option<CountsView>,
    /// Counts today; null if the row no longer exists.
    #[schema(required)]
    new: Option<CountsView>,
}

impl From<Difference> for DifferenceView {
    fn from(difference: Difference) -> Self {
        Self {
            domain: difference.name.domain,
            app: difference.name.app,
            stream: difference.name.stream,
            window_start: difference.window_start,
            window_end: difference.window_end,
            old: difference.sealed.map(CountsView::from),
            new: difference.today.map(CountsView::from),
        }
    }
}

/// A page of differences.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SealedDifferencePage)]
pub struct DifferencePageView {
    /// The rows that differ, ordered by window and name.
    data: Vec<DifferenceView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    /// The `as_of` of the sealed report.
    #[schema(value_type = String, format = DateTime)]
    sealed_as_of: DateTime<Utc>,
    /// The `as_of` of the comparison.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DifferencePlace {
    as_of: DateTime<Utc>,
    after: RowPlace,
}

pub struct DifferenceQuery {
    page: PageRequest<DifferencePlace>,
}

impl FromQuery for DifferenceQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// Compare a sealed report with today
///
/// The rows that would differ if the report were sealed now: because of late callbacks, end times set by operators, or released
/// events.
#[utoipa::path(
    tag = "billing",
    params(("sealed_report_id" = Uuid, Path, description = "The ID of the sealed report"), PageParameters),
    responses(
        (status = 200, description = "A page of differences", body = DifferencePageView),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
    ),
)]
#[get("/v1/sealed-reports/{sealed_report_id}/difference")]
pub async fn list_sealed_report_differences(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    sealed_report_id: Path<String>,
    Query(DifferenceQuery { page }): Query<DifferenceQuery>,
) -> Result<Json<DifferencePageView>, ApiError> {
    let (sealed, differences, as_of) =
        differences(&state, &principal, &sealed_report_id, page.after.clone(), page.limit).await?;
    let place = |row: &Difference| DifferencePlace { as_of, after: row.place() };
    let (data, next_cursor) = page.page(Rows::of(differences, page.limit), place, DifferenceView::from);
    Ok(Json(DifferencePageView { data, next_cursor, sealed_as_of: sealed.as_of, as_of }))
}

/// A sealed report, its differences (up to one more than `limit`), and the `as_of` of the comparison.
///
/// # Errors
/// The report is not found or not sealed, or the comparison failed.
pub async fn differences(
    state: &AppState,
    principal: &Principal,
    sealed_report_id: &str,
    place: Option<DifferencePlace>,
    limit: u16,
) -> Result<(SealedReportRow, Vec<Difference>, DateTime<Utc>), ApiError> {
    let sealed = find(state, principal, sealed_report_id).await?;
    require_sealed(&sealed)?;
    let _timing = Timing::begin(Kind::Difference);
    let Value::Object(mut members) = sealed.parameters.clone() else {
        return Err(ApiError::Internal("a sealed report has parameters".into()));
    };
    members.remove("as_of");
    let mut reader = QueryReader::of_members("/v1/sealed-reports", members);
    let PushDurationQuery { mut asked, layout } = PushDurationQuery::read(&mut reader);
    reader.reject_unknown()?;
    asked.selection.visible_domains.clone_from(&sealed.visible_domains);
    let cutoff = super::close(state, place.as_ref().map(|place| place.as_of)).await?;
    let after = place.map(|place| place.after);
    let today = PushDuration::begin(state.report_pool.clone(), &asked.selection, layout, &cutoff, after.clone());
    let (id, limit) = (sealed.sealed_report_id, usize::from(limit) + 1);
    let differences = sealed::list_differences(&state.work_pool, id, today, after.as_ref(), limit).await?;
    Ok((sealed, differences, cutoff.at))
}
