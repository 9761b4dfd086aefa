//! `/v1/sealed-reports`: reports that are stored byte for byte.

mod difference;
mod seal;
mod stored;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::Principal;
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::reports::parameters::ParametersView;
use crate::http::reports::push_duration::{CountsView, PushDurationQuery};
use crate::model::report::SealedReportStatus;
use crate::store;
use crate::store::sealed_report::SealedReportRow;

pub use difference::{differences, list_sealed_report_differences};
pub use seal::{seal, seal_report};
pub use stored::{delete_sealed_report, get_sealed_report, list_sealed_reports, workbook_of};

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

/// # Errors
/// It does not exist, or the caller may not see it.
pub async fn find(state: &AppState, principal: &Principal, id: &str) -> Result<SealedReportRow, ApiError> {
    let id = parse_id(id, "sealed report")?;
    let report = store::sealed_report::get_sealed_report(&state.work_pool, principal.visible_domains(), id).await?;
    report.ok_or(ApiError::NotFound("sealed report"))
}

/// The request that a sealed report answers, as of today, for the same domains.
///
/// # Errors
/// Its parameters were changed in the database.
pub fn query_of(report: &SealedReportRow) -> Result<PushDurationQuery, ApiError> {
    let Value::Object(mut members) = report.parameters.clone() else {
        return Err(ApiError::Internal("a sealed report has parameters".into()));
    };
    members.remove("as_of");
    let mut reader = QueryReader::of_members("/v1/sealed-reports", members);
    let mut query = PushDurationQuery::from_query(&mut reader);
    reader.reject_unknown()?;
    query.asked.selection.visible_domains.clone_from(&report.visible_domains);
    Ok(query)
}

fn require_sealed(report: &SealedReportRow) -> Result<(), ApiError> {
    let reason = match report.status {
        SealedReportStatus::Sealed => return Ok(()),
        SealedReportStatus::Sealing => "the report is still sealing",
        SealedReportStatus::Failed => "sealing failed: seal the report again",
    };
    Err(ApiError::Conflict(reason.to_owned()))
}
