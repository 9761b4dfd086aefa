//! `/v1/domains`: registered domains, their keys and secret paths.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post, put};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caching::{PollParameters, Tagged};
use super::extract::{Access, Body, RequireAdmin};
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse, PayloadErrors, Unchanged};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::api::schema::{AppName, RegisteredName, TemplateName};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::{FieldSeparator, SignatureRule};
use crate::model::close_rule::CloseRule;
use crate::model::polling::PollMode;
use crate::platform::clock;
use crate::registry::admin::{self, DomainSettings};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

/// The settings of a domain.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DomainSettings)]
pub struct PutDomainBody {
    /// Whether callbacks are signed. Unsigned callbacks must use the secret path.
    #[serde(default = "required")]
    #[schema(value_type = SignatureRule, required = false, default = "required")]
    signature: String,
    /// Accepted apps; all if null. No app may be a prefix of another.
    #[schema(value_type = Option<HashSet<AppName>>, min_items = 1, max_items = 1000)]
    apps: Option<Vec<String>>,
    /// Separator of the signed fields: empty or `+`.
    #[serde(default)]
    #[schema(value_type = FieldSeparator, required = false, default = "")]
    joiner: String,
    /// Transcoding templates whose renditions the provider reports as `STREAM_TEMPLATE`.
    #[serde(default)]
    #[schema(value_type = Vec<TemplateName>, required = false, max_items = 100)]
    rendition_templates: Vec<String>,
    /// Whether several encoders push one stream at the same time.
    #[serde(default)]
    concurrent_pushes: bool,
    /// A session without an end callback ends after it has been live this long, since its start or since an operator or
    /// the provider's list confirmed it: a duration of whole seconds such as `12h`, or `off` for never. Null: as the
    /// service's setting says.
    #[schema(pattern = "^(off|[0-9a-z ]+)$", example = "12h")]
    close_unconfirmed_after: Option<String>,
    /// Whether the provider's lists of streams are read. `off`: no; `observe`: they are compared with the sessions, and
    /// change nothing; `repair`: they also correct for lost callbacks. Reading them was tried only against a fake,
    /// never against the real provider: use `observe`, and compare some days by hand, before you bill by `repair`.
    #[serde(default = "off")]
    #[schema(value_type = PollMode, required = false, default = "off")]
    poll_mode: String,
    /// ID of the provider account with which they are read. Required unless `poll_mode` is `off`.
    #[schema(value_type = Option<Uuid>)]
    provider_account: Option<String>,
}

fn off() -> String {
    PollMode::Off.to_string()
}

fn required() -> String {
    "required".to_owned()
}

/// A registered domain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Domain)]
pub struct DomainView {
    /// Name of the domain.
    #[schema(example = "push.example.com")]
    domain: String,
    /// Whether callbacks are signed.
    signature: SignatureRule,
    /// Accepted apps; all if null.
    #[schema(required)]
    apps: Option<Vec<String>>,
    /// Separator of the signed fields.
    joiner: FieldSeparator,
    /// Transcoding templates whose renditions the provider reports.
    rendition_templates: Vec<String>,
    /// Whether several encoders push one stream at the same time.
    concurrent_pushes: bool,
    /// When a session without an end callback ends: a duration, `off` for never, or null for the service's setting.
    #[schema(required, value_type = Option<String>, example = "12h")]
    close_unconfirmed_after: CloseRule,
    /// Whether the provider's lists of streams are read. `off`: no; `observe`: they are compared with the sessions, and
    /// change nothing; `repair`: they also correct for lost callbacks.
    poll_mode: PollMode,
    /// ID of the provider account with which they are read; null if there is none.
    #[schema(required)]
    provider_account: Option<Uuid>,
    /// Whether the domain has a secret path.
    has_callback_token: bool,
    /// IDs of the active keys, newest first.
    keys: Vec<KeyView>,
    /// Time of registration.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    /// Time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: DateTime<Utc>,
}

/// An active callback key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// ID.
    key_id: Uuid,
    /// Time of addition.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
}

impl DomainView {
    /// `keys` may contain keys of other domains.
    #[must_use]
    pub fn new(row: DomainRow, keys: &[SigningKeyRow]) -> Self {
        let keys = keys.iter().filter(|key| key.domain == row.domain);
        Self {
            close_unconfirmed_after: row.close_rule(),
            keys: keys.map(|key| KeyView { key_id: key.key_id, created_at: key.created_at }).collect(),
            domain: row.domain,
            signature: row.signature,
            apps: row.apps,
            joiner: row.joiner,
            rendition_templates: row.rendition_templates,
            concurrent_pushes: row.concurrent_pushes,
            poll_mode: row.poll_mode,
            provider_account: row.provider_account_id,
            has_callback_token: row.callback_token_hash.is_some(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A page of domains.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DomainPage)]
pub struct DomainPageView {
    /// The domains, ordered by name.
    data: Vec<DomainView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

pub struct ListDomainsQuery {
    page: PageRequest<String>,
}

impl FromQuery for ListDomainsQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// List domains
///
/// All registered domains, ordered by name, with the IDs of their keys.
#[utoipa::path(
    tag = "administration",
    params(PageParameters, PollParameters),
    responses(
        (status = 200, description = "A page of domains", body = DomainPageView, headers(("ETag" = String, description = "Weak ETag of the content without `as_of`"))),
        Unchanged,
        CommonErrors,
    ),
)]
#[get("/v1/domains")]
pub async fn list_domains(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    Query(parameters): Query<ListDomainsQuery>,
) -> Result<Tagged<DomainPageView>, ApiError> {
    let mut snapshot = store::snapshot::begin(&state.work_pool).await?;
    let rows = store::domain::list_domains(&mut *snapshot).await?;
    let keys = store::signing_key::list_signing_keys(&mut *snapshot).await?;
    snapshot.commit().await?;
    let (data, next_cursor) =
        parameters.page.page_of_whole(rows, |row| row.domain.clone(), |row| DomainView::new(row, &keys));
    Ok(Tagged(DomainPageView { data, next_cursor }))
}

/// Get a domain
///
/// Returns the settings and the IDs of the keys.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The name of the domain")),
    responses(
        (status = 200, description = "The domain", body = DomainView),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[get("/v1/domains/{domain}")]
pub async fn get_domain(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    domain: Path<String>,
    _: Query<NoParameters>,
) -> Result<Json<DomainView>, ApiError> {
    let mut snapshot = store::snapshot::begin(&state.work_pool).await?;
    let row = store::domain::get_domain(&mut *snapshot, named(&domain)?).await?.ok_or(ApiError::NotFound("domain"))?;
    let keys = store::signing_key::list_signing_keys(&mut *snapshot).await?;
    snapshot.commit().await?;
    Ok(Json(DomainView::new(row, &keys)))
}

/// Register or change a domain
///
/// Omitted members take their defaults. Keys and the secret path do not change.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The name of the domain")),
    request_body = Option<PutDomainBody>,
    responses(
        (status = 200, description = "Changed", body = DomainView),
        (status = 201, description = "Registered", body = DomainView),
        CommonErrors,
        PayloadErrors,
    ),
)]
#[put("/v1/domains/{domain}")]
pub async fn put_domain(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    domain: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<PutDomainBody>,
) -> Result<HttpResponse, ApiError> {
    let settings = DomainSettings {
        signature: read_signature_rule(&body.signature)?,
        apps: body.apps,
        joiner: read_field_separator(&body.joiner)?,
        rendition_templates: body.rendition_templates,
        concurrent_pushes: body.concurrent_pushes,
        close_unconfirmed_after: read_close_rule(body.close_unconfirmed_after.as_deref())?,
        poll_mode: read_poll_mode(&body.poll_mode)?,
        provider_account_id: read_provider_account(body.provider_account.as_deref())?,
    };
    let (row, is_new) = admin::put_domain(&state.work_pool, &principal.actor, &domain, settings, clock::now()).await?;
    state.registry.refresh_after_change().await;
    let keys = store::signing_key::list_signing_keys(&state.work_pool).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(DomainView::new(row, &keys)))
}

pub(crate) fn read_signature_rule(text: &str) -> Result<SignatureRule, ApiError> {
    text.parse().map_err(|_| ApiError::invalid("signature", "must be one of required, none"))
}

pub(crate) fn read_field_separator(text: &str) -> Result<FieldSeparator, ApiError> {
    text.parse().map_err(|_| ApiError::invalid("joiner", "must be empty or a plus sign"))
}

pub(crate) fn read_close_rule(text: Option<&str>) -> Result<CloseRule, ApiError> {
    let Some(text) = text else { return Ok(CloseRule::Service) };
    text.parse().map_err(|problem| {
        let expected = "must be off, or a duration such as 12h";
        ApiError::invalid("close_unconfirmed_after", format!("{expected}: {problem}"))
    })
}

pub(crate) fn read_poll_mode(text: &str) -> Result<PollMode, ApiError> {
    text.parse().map_err(|_| ApiError::invalid("poll_mode", "must be one of off, observe, repair"))
}

pub(crate) fn read_provider_account(text: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    let read = |text| {
        Uuid::try_parse(text).map_err(|_| ApiError::invalid("provider_account", "must be the ID of a provider account"))
    };
    text.map(read).transpose()
}

/// Remove a domain
///
/// Its callbacks are no longer accepted, and its keys are deleted. Its history stays.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The name of the domain")),
    responses(
        (status = 204, description = "Removed"),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[delete("/v1/domains/{domain}")]
pub async fn delete_domain(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    domain: Path<String>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    admin::remove_domain(&state.work_pool, &principal.actor, named(&domain)?, clock::now()).await?;
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::NoContent().finish())
}

/// A new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
pub struct AddKeyBody {
    /// The key as set at the provider. Generated if omitted.
    #[schema(value_type = Option<String>, min_length = 32, max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    key: Option<SecretString>,
}

/// An added key.
#[derive(Serialize, ToSchema)]
pub struct AddedKey {
    /// ID.
    key_id: Uuid,
    /// The key, if it was generated. Shown only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Time of addition.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
}

/// Add a callback key
///
/// A domain can have several active keys, so that you can rotate the key at the provider without losing a callback. Without
/// `key`, the service generates one.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The name of the domain")),
    request_body = Option<AddKeyBody>,
    responses(
        (status = 201, description = "Added", body = AddedKey),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[post("/v1/domains/{domain}/keys")]
pub async fn add_key(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    domain: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<AddKeyBody>,
) -> Result<HttpResponse, ApiError> {
    let generated = body.key.is_none();
    let master_keys = state.registry.master_keys();
    let domain = named(&domain)?;
    let (row, key) =
        admin::add_key(&state.work_pool, &principal.actor, master_keys, domain, body.key, clock::now()).await?;
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::Created().json(AddedKey {
        key_id: row.key_id,
        key: generated.then(|| key.expose_secret().to_owned()),
        created_at: row.created_at,
    }))
}

/// Remove a callback key
///
/// Callbacks signed with this key are rejected from now on.
#[utoipa::path(
    tag = "administration",
    params(
        ("domain" = RegisteredName, Path, description = "The name of the domain"),
        ("key_id" = Uuid, Path, description = "The ID of the key"),
    ),
    responses(
        (status = 204, description = "Removed"),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[delete("/v1/domains/{domain}/keys/{key_id}")]
pub async fn delete_key(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let (domain, key_id) = path.into_inner();
    let key_id = parse_id(&key_id, "key")?;
    admin::remove_key(&state.work_pool, &principal.actor, named(&domain)?, key_id, clock::now()).await?;
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::NoContent().finish())
}

/// Names with invalid characters are answered 404.
pub(super) fn named(domain: &str) -> Result<&str, ApiError> {
    let strange = |character: char| character.is_control() || character == char::REPLACEMENT_CHARACTER;
    if domain.chars().any(strange) { Err(ApiError::NotFound("domain")) } else { Ok(domain) }
}

/// A new secret path.
#[derive(Serialize, ToSchema)]
pub struct CallbackPath {
    /// Set it at the provider, after the address of this service. Shown only once.
    #[schema(example = "/callbacks/huawei/aVeryLongRandomText")]
    callback_path: String,
}

/// Create or replace a domain's secret path
///
/// The old path stops working.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The name of the domain")),
    responses(
        (status = 201, description = "The new path", body = CallbackPath),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[post("/v1/domains/{domain}/callback-token")]
pub async fn replace_callback_token(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    domain: Path<String>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let domain = named(&domain)?;
    let token = admin::replace_callback_token(&state.work_pool, &principal.actor, domain, clock::now()).await?;
    state.registry.refresh_after_change().await;
    let callback_path = format!("/callbacks/huawei/{}", token.expose_secret());
    Ok(HttpResponse::Created().json(CallbackPath { callback_path }))
}
