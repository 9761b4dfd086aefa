//! `/v1/audit`: the audit log.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, RequireAdmin};
use crate::api::error_responses::CommonErrors;
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Act;
use crate::query::Rows;
use crate::store;
use crate::store::audit::AuditRow;

/// One administrative action.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditView {
    /// ID.
    audit_id: Uuid,
    /// Time of the action.
    #[schema(value_type = String, format = DateTime)]
    done_at: DateTime<Utc>,
    /// The action.
    act: Act,
    /// The actor: the name of the token, `administrator`, or the account that ran a command.
    #[schema(example = "administrator")]
    actor: String,
    /// The actor's token; null for the administrator's token and for commands.
    #[schema(required)]
    token_id: Option<Uuid>,
    /// The affected domain, if any.
    #[schema(required)]
    domain: Option<String>,
    /// The affected key, token, event, session or sealed report; null if the action affects the domain.
    #[schema(required)]
    subject_id: Option<Uuid>,
    /// Details, such as settings before and after. Never contains secrets.
    #[schema(required, value_type = Option<Object>)]
    details: Option<Value>,
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        Self {
            audit_id: row.audit_id,
            done_at: row.done_at,
            act: row.act,
            actor: row.actor,
            token_id: row.token_id,
            domain: row.domain,
            subject_id: row.subject_id,
            details: row.details,
        }
    }
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub struct AuditPageView {
    /// The actions.
    data: Vec<AuditView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

pub struct ListAuditQuery {
    page: PageRequest<(DateTime<Utc>, Uuid)>,
}

impl FromQuery for ListAuditQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// List the audit log
///
/// Every administrative action, newest first: changes of domains, keys, secret paths and tokens, releases, end times, and
/// deleted sealed reports.
#[utoipa::path(
    tag = "administration",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of the audit log", body = AuditPageView),
        CommonErrors,
    ),
)]
#[get("/v1/audit")]
pub async fn list_audit_entries(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    Query(ListAuditQuery { page }): Query<ListAuditQuery>,
) -> Result<Json<AuditPageView>, ApiError> {
    let rows = store::audit::list_audit_entries(&state.work_pool, page.after, i64::from(page.limit) + 1).await?;
    let rows = Rows::of(rows, page.limit);
    let (data, next_cursor) = page.page(rows, |row| (row.done_at, row.audit_id), AuditView::from);
    Ok(Json(AuditPageView { data, next_cursor }))
}
