//! `/v1/rejections`: requests to the callback addresses that were rejected, for support to see that a key or a callback
//! URL is wrong.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{Access, Read};
use crate::access::Principal;
use crate::api::error_responses::Refusals;
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

/// The rejected requests of one claimed domain, cause and minute.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rejection)]
pub struct RejectionView {
    /// The domain that they claim to be of. Null for what was not read as a notification, and for domains that are not
    /// registered when there are many of them in a minute.
    #[schema(required, example = "push.example.com")]
    domain: Option<String>,
    /// Why they are rejected.
    #[schema(example = "signature_mismatch")]
    cause: RejectionReason,
    /// What the cause means, and what to do about it.
    advice: &'static str,
    /// Begin of the minute.
    #[schema(value_type = String, format = DateTime)]
    minute_at: DateTime<Utc>,
    /// How many there were.
    #[schema(minimum = 1)]
    count: i64,
    /// When the first arrived.
    #[schema(value_type = String, format = DateTime)]
    first_at: DateTime<Utc>,
    /// When the last arrived.
    #[schema(value_type = String, format = DateTime)]
    last_at: DateTime<Utc>,
    /// The first of them. Nothing of it was shown to be true.
    #[schema(required)]
    sample: Option<SampleView>,
}

/// A rejected request, credentials masked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RejectionSample)]
pub struct SampleView {
    /// When it arrived.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: DateTime<Utc>,
    /// What is wrong with it, if it was not read as a notification; else null.
    #[schema(required)]
    pub problem: Option<String>,
    /// The provider's word.
    #[schema(required)]
    pub event: Option<String>,
    /// Application.
    #[schema(required)]
    pub app: Option<String>,
    /// Stream name.
    #[schema(required)]
    pub stream: Option<String>,
    /// Unix seconds at which the push began.
    #[schema(required)]
    pub publish_timestamp: Option<i64>,
    /// Unix second at which its signature expires.
    #[schema(required)]
    pub auth_timestamp: Option<i64>,
    /// Its signature, by its looks.
    #[schema(required)]
    pub signature: Option<SampleSignature>,
    /// Whether it came through a secret path, right or wrong.
    #[schema(required)]
    pub secret_path: Option<bool>,
    /// The address that it came from. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source_ip: Option<Option<String>>,
    /// The encoder's address. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_ip: Option<Option<String>>,
    /// The receiving node's address. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub node_ip: Option<Option<String>>,
    /// Query string of the push URL, credentials masked. Only with scope `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user_args: Option<Option<String>>,
}

impl SampleView {
    fn new(sample: Sample, principal: &Principal) -> Self {
        let personal = principal.may(Scope::Personal);
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
            first_at: row.first_at,
            last_at: row.last_at,
            sample: sample.map(|sample| SampleView::new(sample, principal)),
        }
    }
}

/// A page of rejections.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RejectionPage)]
pub struct RejectionPageView {
    /// The rejections.
    data: Vec<RejectionView>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Which rejections are wanted, and which page of them.
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

/// List rejected requests
///
/// Counted by claimed domain, cause and minute, newest minute first: messages that were not shown to be genuine (answered
/// 401) or could not be read (400, 408, 413, 415), and requests with a wrong method (405) or a wrong path below
/// `/callbacks` (404). Seen here within some seconds; kept for 7 days, and less when there are very many.
#[utoipa::path(
    tag = "support",
    params(RejectionFilter, PageParameters),
    responses(
        (status = 200, description = "A page of rejections", body = RejectionPageView),
        Refusals,
    ),
)]
#[get("/v1/rejections")]
pub async fn list_rejections(
    Access { principal, .. }: Access<Read>,
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
