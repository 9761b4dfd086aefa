//! `/v1/audit`: who did what.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, Admin};
use crate::api::error_responses::Refusals;
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Act;
use crate::query::Rows;
use crate::store;
use crate::store::audit::AuditRow;

/// One administrative act.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditView {
    /// Its id.
    audit_id: Uuid,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    done_at: DateTime<Utc>,
    /// What was done.
    act: Act,
    /// Who did it: the token's name then, `administrator`, or the account that ran a command.
    #[schema(example = "administrator")]
    actor: String,
    /// The token that did it; null for the administrator's own, and for commands.
    #[schema(required)]
    token_id: Option<Uuid>,
    /// The domain that it is about; null when it is about none.
    #[schema(required)]
    domain: Option<String>,
    /// The key, token, event or sealed report that it was done to; null when it was done to the domain.
    #[schema(required)]
    subject_id: Option<Uuid>,
    /// What else there is to say, such as settings before and after; never a secret.
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

/// A page of acts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub struct AuditPageView {
    /// The acts.
    data: Vec<AuditView>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Which page of the acts.
pub struct ListAuditQuery {
    page: PageRequest<(DateTime<Utc>, Uuid)>,
}

impl FromQuery for ListAuditQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// List administrative acts
///
/// Every change of domains, keys, secret paths and tokens, and every release, newest first.
#[utoipa::path(
    tag = "administration",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of acts", body = AuditPageView),
        Refusals,
    ),
)]
#[get("/v1/audit")]
pub async fn list_audit_entries(
    _: Access<Admin>,
    state: Data<AppState>,
    Query(ListAuditQuery { page }): Query<ListAuditQuery>,
) -> Result<Json<AuditPageView>, ApiError> {
    let rows = store::audit::list_audit_entries(&state.work_pool, page.after, i64::from(page.limit) + 1).await?;
    let rows = Rows::of(rows, page.limit);
    let (data, next_cursor) = page.page(rows, |row| (row.done_at, row.audit_id), AuditView::from);
    Ok(Json(AuditPageView { data, next_cursor }))
}
