//! `/v1/provider-accounts`: accounts with which the provider's own lists are read; and the check of a domain's settings at the
//! provider.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::domains::named;
use super::external_url;
use super::extract::{Access, Body, Query, RequireAdmin};
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse, PayloadErrors};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::api::schema::RegisteredName;
use crate::app::state::AppState;
use crate::model::polling::{CallbackKeyState, CallbackUrlState, ListState, PollErrorKind};
use crate::platform::clock;
use crate::polling::admin::{AccessKeys, AccountAdmin, AccountError, AccountSettings};
use crate::polling::check::{ProviderCheck, check_domain};
use crate::polling::client::{PollError, access_key_ending};
use crate::store;
use crate::store::provider_account::{AccountDomainRow, ProviderAccountRow};

/// A new provider account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProviderAccount)]
pub struct NewAccountBody {
    /// Name of the account. No two accounts have the same.
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "main")]
    name: String,
    /// Base URL of the provider's API in the region of the domains, without a path: an `https` URL with a public address.
    #[schema(max_length = 255, example = "https://live.cn-north-4.myhuaweicloud.com")]
    endpoint: String,
    /// ID of the project that the domains belong to.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_-]+$",
        example = "0123456789abcdef0123456789abcdef"
    )]
    project_id: String,
    /// Access key (AK). Only its last 4 characters are shown later.
    #[schema(min_length = 8, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    access_key: String,
    /// Secret key (SK) of the access key. Stored encrypted, and never shown.
    #[schema(value_type = String, min_length = 8, max_length = 128, pattern = "^[!-~]+$")]
    secret_key: SecretString,
}

/// The settings of a provider account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderAccountSettings)]
pub struct AccountBody {
    /// Name of the account. No two accounts have the same.
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "main")]
    name: String,
    /// Base URL of the provider's API in the region of the domains, without a path: an `https` URL with a public address.
    #[schema(max_length = 255, example = "https://live.cn-north-4.myhuaweicloud.com")]
    endpoint: String,
    /// ID of the project that the domains belong to.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_-]+$",
        example = "0123456789abcdef0123456789abcdef"
    )]
    project_id: String,
    /// Another access key (AK), with its secret key. Omitted: unchanged. Required for another endpoint.
    #[schema(min_length = 8, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    access_key: Option<String>,
    /// Secret key (SK) of the access key. Omitted: unchanged. Required for another endpoint.
    #[schema(value_type = Option<String>, min_length = 8, max_length = 128, pattern = "^[!-~]+$")]
    secret_key: Option<SecretString>,
}

impl AccountBody {
    fn read(self) -> Result<AccountSettings, AccountError> {
        let keys = AccessKeys::from_both(self.access_key, self.secret_key)?;
        Ok(AccountSettings { name: self.name, endpoint: self.endpoint, project_id: self.project_id, keys })
    }
}

/// A provider account without its secret key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderAccount)]
pub struct AccountView {
    /// ID.
    pub account_id: Uuid,
    /// Name of the account.
    name: String,
    /// Base URL of the provider's API.
    endpoint: String,
    /// ID of the project.
    project_id: String,
    /// The last 4 characters of the access key.
    #[schema(min_length = 4, max_length = 4)]
    access_key_ending: String,
    /// Names of the domains that use this account.
    domains: Vec<String>,
    /// Time of creation.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    /// Time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: DateTime<Utc>,
}

impl AccountView {
    /// `domains` may contain those of other accounts.
    pub fn new(row: ProviderAccountRow, domains: &[AccountDomainRow]) -> Self {
        let own = domains.iter().filter(|domain| domain.account_id == row.account_id);
        Self {
            domains: own.map(|domain| domain.domain.clone()).collect(),
            access_key_ending: access_key_ending(&row.access_key).to_owned(),
            account_id: row.account_id,
            name: row.name,
            endpoint: row.endpoint,
            project_id: row.project_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A page of provider accounts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderAccountPage)]
pub struct AccountPageView {
    /// The accounts, ordered by name.
    data: Vec<AccountView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

pub struct ListAccountsQuery {
    page: PageRequest<String>,
}

impl FromQuery for ListAccountsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

fn admin(state: &AppState) -> AccountAdmin<'_> {
    AccountAdmin { pool: &state.work_pool, master_keys: state.registry.master_keys(), client: &state.provider }
}

/// All accounts with the domains that have one.
async fn list_accounts(state: &AppState) -> Result<(Vec<ProviderAccountRow>, Vec<AccountDomainRow>), ApiError> {
    let mut snapshot = store::snapshot::begin(&state.work_pool).await?;
    let rows = store::provider_account::list_provider_accounts(&mut *snapshot).await?;
    let domains = store::provider_account::list_account_domains(&mut *snapshot).await?;
    snapshot.commit().await?;
    Ok((rows, domains))
}

/// List provider accounts
///
/// All accounts, ordered by name, without their secret keys.
#[utoipa::path(
    tag = "administration",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of provider accounts", body = AccountPageView),
        CommonErrors,
    ),
)]
#[get("/v1/provider-accounts")]
pub async fn list_provider_accounts(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    Query(parameters): Query<ListAccountsQuery>,
) -> Result<Json<AccountPageView>, ApiError> {
    let (rows, domains) = list_accounts(&state).await?;
    let (data, next_cursor) =
        parameters.page.page_of_whole(rows, |row| row.name.clone(), |row| AccountView::new(row, &domains));
    Ok(Json(AccountPageView { data, next_cursor }))
}

/// Create a provider account
///
/// Set it as the account of a domain to check and poll that domain. The secret key is never shown.
#[utoipa::path(
    tag = "administration",
    request_body = NewAccountBody,
    responses(
        (status = 201, description = "Created", body = AccountView),
        CommonErrors,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[post("/v1/provider-accounts")]
pub async fn create_provider_account(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    _: Query<NoParameters>,
    Body(body): Body<NewAccountBody>,
) -> Result<HttpResponse, ApiError> {
    let NewAccountBody { name, endpoint, project_id, access_key, secret_key } = body;
    let keys = Some(AccessKeys { access_key: access_key.into(), secret_key });
    let settings = AccountSettings { name, endpoint, project_id, keys };
    let row = admin(&state).create(&principal.actor, settings, clock::now()).await?;
    Ok(HttpResponse::Created().json(AccountView::new(row, &[])))
}

/// Get a provider account
///
/// Without its secret key.
#[utoipa::path(
    tag = "administration",
    params(("account_id" = Uuid, Path, description = "The ID of the provider account")),
    responses(
        (status = 200, description = "The provider account", body = AccountView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/provider-accounts/{account_id}")]
pub async fn get_provider_account(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    account_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<Json<AccountView>, ApiError> {
    let account_id = parse_id(&account_id, "provider account")?;
    let (rows, domains) = list_accounts(&state).await?;
    let row = rows.into_iter().find(|row| row.account_id == account_id);
    Ok(Json(AccountView::new(row.ok_or(ApiError::NotFound("provider account"))?, &domains)))
}

/// Change a provider account
///
/// Replaces its settings; without `access_key` and `secret_key`, both stay. Another `endpoint` requires both.
#[utoipa::path(
    tag = "administration",
    params(("account_id" = Uuid, Path, description = "The ID of the provider account")),
    request_body = AccountBody,
    responses(
        (status = 200, description = "Changed", body = AccountView),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[put("/v1/provider-accounts/{account_id}")]
pub async fn put_provider_account(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    account_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<AccountBody>,
) -> Result<Json<AccountView>, ApiError> {
    let account_id = parse_id(&account_id, "provider account")?;
    let row = admin(&state).change(&principal.actor, account_id, body.read()?, clock::now()).await?;
    let domains = store::provider_account::list_account_domains(&state.work_pool).await?;
    Ok(Json(AccountView::new(row, &domains)))
}

/// Delete a provider account
///
/// Its keys are deleted. An account that a domain uses cannot be deleted.
#[utoipa::path(
    tag = "administration",
    params(("account_id" = Uuid, Path, description = "The ID of the provider account")),
    responses(
        (status = 204, description = "Deleted"),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
    ),
)]
#[delete("/v1/provider-accounts/{account_id}")]
pub async fn delete_provider_account(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    account_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let account_id = parse_id(&account_id, "provider account")?;
    admin(&state).remove(&principal.actor, account_id, clock::now()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What a check of a domain's settings at the provider has found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderCheck)]
pub struct ProviderCheckView {
    /// Where the provider sends the domain's callbacks.
    callback_url: CallbackUrlView,
    /// Whether the callback key that is set at the provider is one of the domain's. `matches`; `differs`: it is none of
    /// them, so callbacks are rejected; `none`: none is set, so callbacks are unsigned; `unknown`: it could not be
    /// read.
    callback_key: CallbackKeyState,
    /// Whether the account may read the list of the domain's live streams. `readable`; `refused`: the provider rejected
    /// the request; `unknown`: there was no usable answer.
    lists: ListState,
    /// Whether the account may read the history of the domain's pushes, likewise.
    history: ListState,
    /// By how many seconds the provider's clock is ahead of the service's; null if it is not known. From 900 seconds
    /// on, the provider rejects all requests.
    #[schema(required)]
    clock_difference_seconds: Option<i64>,
    /// Why the callback settings could not be read; null if they were read.
    #[schema(required)]
    callback_error: Option<ProviderErrorView>,
    /// Why the list could not be read; null if it was read.
    #[schema(required)]
    lists_error: Option<ProviderErrorView>,
    /// Why the history could not be read; null if it was read.
    #[schema(required)]
    history_error: Option<ProviderErrorView>,
}

/// Where the provider sends the domain's callbacks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderCallbackUrl)]
pub struct CallbackUrlView {
    /// Whether it leads to this service. `ours`: its host is that of this request, and its path is one of the domain's;
    /// `other_host`: its path is one of the domain's, but check its host; `other`: its path is none of the domain's, so
    /// callbacks are rejected, or go to another system; `none`: no URL is set; `unknown`: it could not be read.
    state: CallbackUrlState,
    /// The URL, with `***` in the place of what may be secret; null if there is none, or it could not be read.
    #[schema(required)]
    url: Option<String>,
}

/// Why a request to the provider has no result.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderError)]
pub struct ProviderErrorView {
    /// The kind of error, for programs. `throttled`: too many requests; `unauthorized`: the access key is unknown,
    /// locked or lacks the permission, or the account is in arrears; `not_found`: no such project or domain; `failed`:
    /// the provider rejected the request for another reason, or failed; `unreadable`: the answer is not what the
    /// provider documents; `forbidden`: the service's settings do not allow the address; `timed_out`: no answer in
    /// time; `unreachable`: no connection; `broken`: the connection broke.
    kind: PollErrorKind,
    /// The same for people.
    message: String,
    /// Status of the provider's answer; null if there was none.
    #[schema(required)]
    status: Option<u16>,
    /// Code of the provider's answer, such as `APIGW.0301`.
    #[schema(required)]
    code: Option<String>,
    /// ID of the request at the provider, for its support.
    #[schema(required)]
    request_id: Option<String>,
}

impl From<PollError> for ProviderErrorView {
    fn from(error: PollError) -> Self {
        let (kind, message) = (error.kind(), error.to_string());
        let (status, code, request_id) = match error {
            PollError::Refused { status, code, request_id, refusal: _, retry_after: _ } => {
                (Some(status), code, request_id)
            }
            PollError::Unreadable(_)
            | PollError::TooLong
            | PollError::Endpoint(_)
            | PollError::Forbidden(_)
            | PollError::TimedOut
            | PollError::Unreachable
            | PollError::Broken => (None, None, None),
        };
        Self { kind, message, status, code, request_id }
    }
}

impl ProviderCheckView {
    /// For people: names and values.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let url = self.callback_url.url.as_deref().map(|url| format!(", {url}")).unwrap_or_default();
        let difference = self.clock_difference_seconds.map_or("not known".to_owned(), |seconds| format!("{seconds} s"));
        let mut lines = vec![
            ("callback URL", format!("{}{url}", self.callback_url.state)),
            ("callback key", self.callback_key.to_string()),
            ("lists", self.lists.to_string()),
            ("history", self.history.to_string()),
            ("clock difference", difference),
        ];
        let errors = [
            ("callback error", &self.callback_error),
            ("lists error", &self.lists_error),
            ("history error", &self.history_error),
        ];
        lines.extend(errors.into_iter().filter_map(|(name, error)| Some((name, error.as_ref()?.message.clone()))));
        lines
    }
}

impl From<ProviderCheck> for ProviderCheckView {
    fn from(check: ProviderCheck) -> Self {
        Self {
            callback_url: CallbackUrlView { state: check.url_state, url: check.url },
            callback_key: check.key_state,
            lists: check.list_state,
            history: check.history_state,
            clock_difference_seconds: check.clock_difference.map(|difference| difference.num_seconds()),
            callback_error: check.settings_error.map(Into::into),
            lists_error: check.list_error.map(Into::into),
            history_error: check.history_error.map(Into::into),
        }
    }
}

/// Check a domain's settings at the provider
///
/// Asks the provider, with the domain's account, where it sends the callbacks and with which key it signs them, and compares
/// both with the settings here; and whether the account may read the lists and the history. Neither key is shown. Changes
/// nothing. The response is 200 even if the provider rejects the requests. If it does not accept the access key, it is asked
/// only once, and all errors are that one.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The name of the domain")),
    responses(
        (status = 200, description = "What was found", body = ProviderCheckView),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
    ),
)]
#[post("/v1/domains/{domain}/provider-check")]
pub async fn check_provider(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
    _: Query<NoParameters>,
) -> Result<Json<ProviderCheckView>, ApiError> {
    let (pool, keys) = (&state.work_pool, state.registry.master_keys());
    let host = external_url::host(&request);
    let check = check_domain(pool, keys, &state.provider, named(&domain)?, host, clock::now()).await?;
    Ok(Json(check.into()))
}
