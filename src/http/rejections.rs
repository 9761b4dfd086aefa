//! `/v1/rejections`: rejected callbacks, which show that a key or a callback URL is wrong.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{Access, RequireRead};
use crate::access::Principal;
use crate::api::error_responses::CommonErrors;
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader, read_filter};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::huawei::advice;
use crate::model::access::Scope;
use crate::model::filter::RejectionFilter;
use crate::model::rejection::{RejectionReason, SampleSignature};
use crate::query;
use crate::rejection::Sample;
use crate::store::rejection::RejectionRow;

/// Rejected callbacks of one claimed domain, reason and minute.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rejection)]
pub struct RejectionView {
    /// The claimed domain. Null if the body was not readable, and for unregistered domains if a minute has many of them.
    #[schema(required, example = "push.example.com")]
    domain: Option<String>,
    /// The reason.
    #[schema(example = "signature_mismatch")]
    cause: RejectionReason,
    /// What the reason means, and how to fix it.
    advice: &'static str,
    /// Start of the minute.
    #[schema(value_type = String, format = DateTime)]
    minute_at: DateTime<Utc>,
    /// Number of rejected callbacks.
    #[schema(minimum = 1)]
    count: i64,
    /// How many of them were kept so that they can be retried.
    #[schema(minimum = 0)]
    kept: i64,
    /// Arrival of the first.
    #[schema(value_type = String, format = DateTime)]
    first_at: DateTime<Utc>,
    /// Arrival of the last.
    #[schema(value_type = String, format = DateTime)]
    last_at: DateTime<Utc>,
    /// The first of them. Its content is not authenticated.
    #[schema(required)]
    sample: Option<SampleView>,
}

/// A rejected callback, with credentials masked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RejectionSample)]
pub struct SampleView {
    /// Time of receipt.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: DateTime<Utc>,
    /// The problem, if the body was not readable as a callback; otherwise null.
    #[schema(required)]
    pub problem: Option<String>,
    /// Event of the callback.
    #[schema(required)]
    pub event: Option<String>,
    /// App.
    #[schema(required)]
    pub app: Option<String>,
    /// Stream name.
    #[schema(required)]
    pub stream: Option<String>,
    /// Start of the push, in Unix seconds.
    #[schema(required)]
    pub publish_timestamp: Option<i64>,
    /// Expiry of the signature, in Unix seconds.
    #[schema(required)]
    pub auth_timestamp: Option<i64>,
    /// The form of the signature.
    #[schema(required)]
    pub signature: Option<SampleSignature>,
    /// Whether the request used a secret path, valid or not.
    #[schema(required)]
    pub secret_path: Option<bool>,
    /// IP address of the sender. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source_ip: Option<Option<String>>,
    /// IP address of the encoder. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_ip: Option<Option<String>>,
    /// IP address of the receiving node. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub node_ip: Option<Option<String>>,
    /// Query string of the push URL, with credentials masked. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user_args: Option<Option<String>>,
}

impl SampleView {
    /// With `personal`, it includes addresses and `user_args`.
    pub fn new(sample: Sample, personal: bool) -> Self {
        Self {
            received_at: sample.received_at,
            problem: sample.problem,
            event: sample.event,
            app: sample.app,
            stream: sample.stream,
            publish_timestamp: sample.publish_timestamp,
            auth_timestamp: sample.auth_timestamp,
            signature: sample.signature,
            secret_path: sample.secret_path,
            source_ip: personal.then_some(sample.source_ip),
            client_ip: personal.then_some(sample.client_ip),
            node_ip: personal.then_some(sample.node_ip),
            user_args: personal.then_some(sample.user_args),
        }
    }
}

impl RejectionView {
    fn new(row: RejectionRow, principal: &Principal) -> Self {
        let sample = serde_json::from_value(row.sample).ok();
        Self {
            domain: (!row.claimed_domain.is_empty()).then_some(row.claimed_domain),
            advice: advice::of_rejection(row.cause),
            cause: row.cause,
            minute_at: row.minute_at,
            count: row.count,
            kept: row.kept,
            first_at: row.first_at,
            last_at: row.last_at,
            sample: sample.map(|sample| SampleView::new(sample, principal.may(Scope::Personal))),
        }
    }
}

/// A page of rejections.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RejectionPage)]
pub struct RejectionPageView {
    /// The rejections.
    data: Vec<RejectionView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

pub struct ListRejectionsQuery {
    filter: RejectionFilter,
    page: PageRequest<(DateTime<Utc>, String, RejectionReason)>,
}

impl FromQuery for ListRejectionsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        Self { filter: read_filter(query), page }
    }
}

/// List rejected callbacks
///
/// Counts by claimed domain, reason and minute, newest minute first: callbacks that were not authenticated (401) or not
/// readable (400, 408, 413, 415), and requests with a wrong method (405) or a wrong path below `/callbacks` (404). Listed
/// within some seconds. Retained for 7 days, or less if there are very many.
#[utoipa::path(
    tag = "support",
    params(RejectionFilter, PageParameters),
    responses(
        (status = 200, description = "A page of rejections", body = RejectionPageView),
        CommonErrors,
    ),
)]
#[get("/v1/rejections")]
pub async fn list_rejections(
    Access { principal, .. }: Access<RequireRead>,
    state: Data<AppState>,
    Query(parameters): Query<ListRejectionsQuery>,
) -> Result<Json<RejectionPageView>, ApiError> {
    let ListRejectionsQuery { filter, page } = parameters;
    let after = page.after.as_ref();
    let rows = query::rejections::list_rejections(&state.query_pool, &principal, &filter, after, page.limit).await?;
    let (data, next_cursor) = page.page(
        rows,
        |row| (row.minute_at, row.claimed_domain.clone(), row.cause),
        |row| RejectionView::new(row, &principal),
    );
    Ok(Json(RejectionPageView { data, next_cursor }))
}
