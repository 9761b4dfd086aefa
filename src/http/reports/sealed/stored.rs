//! Lists, returns and deletes sealed reports.

use actix_web::web::{Bytes, Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{SealedReportView, find, query_of, require_sealed};
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::{Access, Query, RequireAdmin, RequireBilling};
use crate::http::files::{self, FileFormat, Held, Workbook, csv_answer, preferred_format};
use crate::http::reports::push_duration::{CSV_EXAMPLE, CountsView, PushDurationQuery};
use crate::http::reports::timing::{Kind, Timing};
use crate::model::filter::{Filter, FormatOptions};
use crate::model::report::ReportFormat;
use crate::platform::clock;
use crate::query::Rows;
use crate::report::file;
use crate::report::file::table::Wording;
use crate::report::period::file_name;
use crate::report::sealed;
use crate::store;
use crate::store::sealed_report::SealedReportRow;

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
    let visible = principal.visible_domains();
    let limit = i64::from(page.limit) + 1;
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
/// Returns the metadata, or with `format=csv` or `Accept: text/csv` the report itself, whose hash is `sha256`. A workbook for
/// Excel (`format=xlsx`) has the sealed rows. Files return 409 unless the report is sealed.
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
            content(
                (SealedReportView = "application/json"),
                (String = "text/csv", example = json!(CSV_EXAMPLE)),
                (Workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ),
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
    match format.unwrap_or_else(|| preferred_format(&request)) {
        ReportFormat::Json => Ok(HttpResponse::Ok().json(SealedReportView::from(report))),
        ReportFormat::Csv => {
            require_sealed(&report)?;
            let PushDurationQuery { asked, layout } = query_of(&report)?;
            Ok(csv_answer(&file_name(&asked.selection, layout)).streaming(parts(state, report.sealed_report_id)))
        }
        ReportFormat::Xlsx => {
            let held = Held::take(&state, &principal, FileFormat::Xlsx, Timing::begin(Kind::SealedReport))?;
            workbook_of(&state, &report, Wording::english("Push duration"), held).await
        }
    }
}

/// A sealed report as a workbook.
///
/// # Errors
/// It is not sealed, or cannot be read.
pub async fn workbook_of(
    state: &AppState,
    report: &SealedReportRow,
    wording: Wording,
    held: Held,
) -> Result<HttpResponse, ApiError> {
    require_sealed(report)?;
    let PushDurationQuery { asked, layout } = query_of(report)?;
    let selection = &asked.selection;
    let totals = CountsView::deserialize(report.totals.clone().unwrap_or_default());
    let totals = totals.map_err(|error| ApiError::Internal(error.into()))?.into();
    let columns = file::push_duration::xlsx_columns(layout.group_by);
    let table = file::push_duration::table(&columns, (selection, layout), report.as_of, wording);
    let rows = sealed::rows(state.work_pool.clone(), report.sealed_report_id);
    let lines = file::push_duration::lines_of(rows, totals, columns, (selection.from, selection.to));
    files::respond(FileFormat::Xlsx, &file_name(selection, layout), table, lines, held).await
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
    let id = parse_id(&sealed_report_id, "sealed report")?;
    let deleted = sealed::delete(&state.work_pool, &principal.actor, id, clock::now()).await?;
    if deleted { Ok(HttpResponse::NoContent().finish()) } else { Err(ApiError::NotFound("sealed report")) }
}
