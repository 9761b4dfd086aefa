//! `/v1/rejections/kept` and `/v1/rejections/retry`: rejected callbacks that are kept, and their second chance.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, Body, RequireAdmin};
use super::rejections::SampleView;
use crate::access::Actor;
use crate::api::error_responses::{CommonErrors, NotFoundResponse, PayloadErrors};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader, read_filter};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::huawei::advice;
use crate::model::filter::RejectionFilter;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;
use crate::query;
use crate::registry::Registry;
use crate::registry::master_key::MasterKeyError;
use crate::rejection::kept::open_body;
use crate::rejection::retry::{Preview, Retries, RetryError, RetryResult};
use crate::store;
use crate::store::kept_rejection::{KeptRejectionRow, KeptSummaryRow, Place};

/// A kept rejection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptRejection)]
pub struct KeptRejectionView {
    /// ID. If the callback is admitted, it becomes the ID of the event.
    rejection_id: Uuid,
    /// Time of receipt.
    #[schema(value_type = String, format = DateTime)]
    received_at: DateTime<Utc>,
    /// The claimed domain. Null if the body names none.
    #[schema(required, example = "push.example.com")]
    domain: Option<String>,
    /// Why it was rejected.
    #[schema(example = "signature_mismatch")]
    cause: RejectionReason,
    /// What the reason means, and how to fix it.
    advice: &'static str,
    /// IP address of the sender.
    #[schema(required)]
    source_ip: Option<String>,
}

impl From<KeptSummaryRow> for KeptRejectionView {
    fn from(row: KeptSummaryRow) -> Self {
        Self {
            rejection_id: row.rejection_id,
            received_at: row.received_at,
            domain: (!row.claimed_domain.is_empty()).then_some(row.claimed_domain),
            cause: row.cause,
            advice: advice::of_rejection(row.cause),
            source_ip: row.source_ip,
        }
    }
}

/// A kept rejection with its content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptRejectionContent)]
pub struct KeptRejectionContentView {
    #[serde(flatten)]
    rejection: KeptRejectionView,
    /// The callback, with credentials masked. It is not authenticated.
    sample: SampleView,
    /// The body as it was received, if it is not readable as a callback; otherwise null.
    #[schema(required)]
    body: Option<String>,
}

/// A page of kept rejections.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptRejectionPage)]
pub struct KeptRejectionPageView {
    /// The kept rejections.
    data: Vec<KeptRejectionView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

pub struct ListKeptQuery {
    filter: RejectionFilter,
    page: PageRequest<Place>,
}

impl KeptRejectionContentView {
    pub fn new(row: &KeptRejectionRow, retries: &Retries<'_>) -> Result<Self, MasterKeyError> {
        let body = open_body(row, retries.key)?;
        let sample = retries.sample(row, &body);
        let is_readable = sample.problem.is_none();
        Ok(Self {
            rejection: KeptRejectionView::from(row.summary()),
            sample: SampleView::new(sample, true),
            body: (!is_readable).then(|| String::from_utf8_lossy(&body).into_owned()),
        })
    }
}

impl FromQuery for ListKeptQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let page = PageRequest::from_query(query);
        Self { filter: read_filter(query), page }
    }
}

/// List kept rejections
///
/// Rejected callbacks that can still be admitted, newest first. Kept for `--keep-rejections`, in limited space: when the
/// space of a domain is used up, further ones are only counted.
#[utoipa::path(
    tag = "administration",
    params(RejectionFilter, PageParameters),
    responses(
        (status = 200, description = "A page of kept rejections", body = KeptRejectionPageView),
        CommonErrors,
    ),
)]
#[get("/v1/rejections/kept")]
pub async fn list_kept_rejections(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    Query(parameters): Query<ListKeptQuery>,
) -> Result<Json<KeptRejectionPageView>, ApiError> {
    let ListKeptQuery { filter, page } = parameters;
    let rows = query::rejections::list_kept(&state.query_pool, &filter, page.after, page.limit).await?;
    let (data, next_cursor) = page.page(rows, |row| (row.received_at, row.rejection_id), KeptRejectionView::from);
    Ok(Json(KeptRejectionPageView { data, next_cursor }))
}

/// Get a kept rejection
///
/// Its credentials are masked. A body that is not readable as a callback cannot be masked: it is returned as it was
/// received, with bytes that are not UTF-8 replaced.
#[utoipa::path(
    tag = "administration",
    params(("rejection_id" = Uuid, Path, description = "The ID of the kept rejection")),
    responses(
        (status = 200, description = "The kept rejection", body = KeptRejectionContentView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/rejections/kept/{rejection_id}")]
pub async fn get_kept_rejection(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    rejection_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<Json<KeptRejectionContentView>, ApiError> {
    const WHAT: &str = "kept rejection";
    let rejection_id = parse_id(&rejection_id, WHAT)?;
    let row = store::kept_rejection::get_kept_rejection(&state.work_pool, rejection_id).await?;
    let row = row.ok_or(ApiError::NotFound(WHAT))?;
    let registry = state.registry.current();
    let content = KeptRejectionContentView::new(&row, &retries(&state, &registry)?);
    content.map(Json).map_err(|error| ApiError::Internal(error.into()))
}

/// Which kept rejections to retry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RejectionRetry)]
pub struct RetryBody {
    /// The domain that they claim.
    #[schema(min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "push.example.com")]
    domain: String,
    /// Why they were rejected. Default: any reason.
    reason: Option<RejectionReason>,
    /// Start of the period of receipt (inclusive).
    #[schema(value_type = String, format = DateTime)]
    from: DateTime<Utc>,
    /// End of the period of receipt (exclusive).
    #[schema(value_type = String, format = DateTime)]
    to: DateTime<Utc>,
    /// Whether to count only, and to admit none.
    #[serde(default)]
    dry_run: bool,
}

/// What became of kept rejections; of a dry run, what would become of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RejectionRetryResult)]
pub struct RetryResultView {
    /// Whether none was admitted.
    dry_run: bool,
    /// Callbacks that are accepted. A dry run does not look into the log, which may quarantine some of them because their
    /// signature was used before.
    accepted: u64,
    /// Callbacks that are quarantined.
    quarantined: u64,
    /// Callbacks that are still rejected, and stay kept.
    rejected: u64,
    /// Callbacks that cannot be stored, and stay kept.
    unusable: u64,
    /// Why callbacks are quarantined or still rejected.
    reasons: Vec<ReasonCountView>,
}

/// How many callbacks are quarantined or still rejected for a reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetryReasonCount)]
pub struct ReasonCountView {
    /// A reason of quarantine or of rejection.
    reason: &'static str,
    /// Number of callbacks.
    count: u64,
}

impl RetryResultView {
    pub fn new(result: &RetryResult, dry_run: bool) -> Self {
        let quarantined = result.quarantined.iter().map(|(reason, count)| (reason.as_str(), *count));
        let rejected = result.rejected.iter().map(|(reason, count)| (reason.as_str(), *count));
        let reasons = quarantined.chain(rejected).map(|(reason, count)| ReasonCountView { reason, count });
        Self {
            dry_run,
            accepted: result.accepted,
            quarantined: result.quarantined(),
            rejected: result.rejected(),
            unusable: result.unusable,
            reasons: reasons.collect(),
        }
    }
}

/// Retry kept rejections
///
/// Admits kept rejections with the current keys and settings, as of the time when each was received. Those that are
/// accepted or quarantined enter the log with their original `received_at` and `retried`, each once; the others stay kept.
/// After an error, some may be admitted: repeat the request.
#[utoipa::path(
    tag = "administration",
    request_body = RetryBody,
    responses(
        (status = 200, description = "The number of callbacks by outcome", body = RetryResultView),
        CommonErrors,
        PayloadErrors,
    ),
)]
#[post("/v1/rejections/retry")]
pub async fn retry_rejections(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    _: Query<NoParameters>,
    Body(body): Body<RetryBody>,
) -> Result<Json<RetryResultView>, ApiError> {
    let RetryBody { domain, reason, from, to, dry_run } = body;
    if !(1..=255).contains(&domain.chars().count()) || domain.chars().any(char::is_control) {
        return Err(ApiError::invalid("domain", "must have 1 to 255 characters and no control characters"));
    }
    if to <= from {
        return Err(ApiError::invalid("to", "must be later than from"));
    }
    let filter = RejectionFilter { domain: Some(domain), cause: reason, from: Some(from), to: Some(to) };
    let result = if dry_run {
        preview(&state, &filter).await?.total()
    } else {
        retry(&state, &principal.actor, &filter).await?
    };
    Ok(Json(RetryResultView::new(&result, dry_run)))
}

/// What a retry would admit now.
pub(crate) async fn preview(state: &AppState, filter: &RejectionFilter) -> Result<Preview, ApiError> {
    let registry = state.registry.current();
    let domain_of = |name: &str| registry.domain(name);
    Ok(retries(state, &registry)?.preview(&state.work_pool, filter, domain_of).await?)
}

/// Retries the kept rejections of the filter's domain.
pub(crate) async fn retry(state: &AppState, actor: &Actor, filter: &RejectionFilter) -> Result<RetryResult, ApiError> {
    let registry = state.registry.current();
    let domain = filter.domain.as_deref().and_then(|name| registry.domain(name));
    let retries = retries(state, &registry)?;
    let result = retries.retry(&state.work_pool, actor, filter, domain, clock::now()).await;
    state.appended.notify_one();
    Ok(result?)
}

fn retries<'a>(state: &'a AppState, registry: &'a Registry) -> Result<Retries<'a>, RetryError> {
    let key = registry.rejection_key.as_ref().ok_or(RetryError::Key)?;
    Ok(Retries { admitter: &state.receiver.admitter, key })
}
