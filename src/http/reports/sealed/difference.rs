//! Compares a sealed report with the same report today.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{find, query_of, require_sealed};
use crate::access::Principal;
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::{Access, Query, RequireBilling};
use crate::http::reports::close;
use crate::http::reports::push_duration::{CountsView, PushDurationQuery};
use crate::http::reports::timing::{Kind, Timing};
use crate::query::Rows;
use crate::report::push_duration::{PushDuration, RowPlace};
use crate::report::sealed::{self, Difference};
use crate::store::sealed_report::SealedReportRow;

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
/// Returns the rows in which the log now differs from the sealed report: after late callbacks, ends that operators set, or
/// released events.
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
    let PushDurationQuery { asked, layout } = query_of(&sealed)?;
    let cutoff = close(state, place.as_ref().map(|place| place.as_of)).await?;
    let after = place.map(|place| place.after);
    let today = PushDuration::begin(state.report_pool.clone(), &asked.selection, layout, &cutoff, after.clone());
    let id = sealed.sealed_report_id;
    let limit = usize::from(limit) + 1;
    let differences = sealed::list_differences(&state.work_pool, id, today, after.as_ref(), limit).await?;
    Ok((sealed, differences, cutoff.at))
}
