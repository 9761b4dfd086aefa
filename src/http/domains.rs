//! `/v1/domains`: who may send.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post, put};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caching::{PollParameters, Tagged};
use super::extract::{Access, Admin, Body};
use crate::api::error_responses::{Clash, NotThere, Refusals, TooLong, Unchanged};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::api::schema::{AppName, JoinerWord, RegisteredName, SignatureRuleWord, TemplateName};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::huawei::signature::Joiner;
use crate::platform::clock;
use crate::registry::admin::{self, DomainSettings};
use crate::registry::signature_rule;
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

/// How a domain is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DomainSettings)]
pub struct PutDomainBody {
    /// Whether its messages are signed. Unsigned ones come in through the secret path alone.
    #[serde(default = "required")]
    #[schema(value_type = SignatureRuleWord, required = false, default = "required")]
    signature: String,
    /// The applications that may send; all when null. None may begin with another.
    #[schema(value_type = Option<HashSet<AppName>>, min_items = 1, max_items = 1000)]
    apps: Option<Vec<String>>,
    /// What stands between the signed fields: nothing, or `+`.
    #[serde(default)]
    #[schema(value_type = JoinerWord, required = false, default = "")]
    joiner: String,
    /// The transcoding templates whose renditions are notified as `STREAM_TEMPLATE`.
    #[serde(default)]
    #[schema(value_type = Vec<TemplateName>, required = false, max_items = 100)]
    rendition_templates: Vec<String>,
    /// Whether several pushers of one stream at once are normal.
    #[serde(default)]
    concurrent_pushes: bool,
}

fn required() -> String {
    "required".to_owned()
}

/// A registered domain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Domain)]
pub struct DomainView {
    /// Its name.
    #[schema(example = "push.example.com")]
    domain: String,
    /// Whether its messages are signed.
    #[schema(value_type = SignatureRuleWord)]
    signature: String,
    /// The applications that may send; all when null.
    #[schema(required)]
    apps: Option<Vec<String>>,
    /// What stands between the signed fields.
    #[schema(value_type = JoinerWord)]
    joiner: String,
    /// The templates whose renditions are notified.
    rendition_templates: Vec<String>,
    /// Whether several pushers of one stream at once are normal.
    concurrent_pushes: bool,
    /// Whether it has a secret path.
    has_callback_token: bool,
    /// Its active keys, newest first; never the keys themselves.
    keys: Vec<KeyView>,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: DateTime<Utc>,
}

/// An active callback key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// Its id.
    key_id: Uuid,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
}

impl DomainView {
    /// A domain with its keys, which are among these.
    #[must_use]
    pub fn new(row: DomainRow, keys: &[SigningKeyRow]) -> Self {
        let keys = keys.iter().filter(|key| key.domain == row.domain);
        Self {
            keys: keys.map(|key| KeyView { key_id: key.key_id, created_at: key.created_at }).collect(),
            domain: row.domain,
            signature: row.signature,
            apps: row.apps,
            joiner: row.joiner,
            rendition_templates: row.rendition_templates,
            concurrent_pushes: row.concurrent_pushes,
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
    /// The domains, by name.
    data: Vec<DomainView>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Which page of the domains.
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
/// Every registered domain, by name, with the ids of its keys; never the keys themselves.
#[utoipa::path(
    tag = "administration",
    params(PageParameters, PollParameters),
    responses(
        (status = 200, description = "Every domain", body = DomainPageView, headers(("ETag" = String, description = "Weak tag of all but `as_of`"))),
        Unchanged,
        Refusals,
    ),
)]
#[get("/v1/domains")]
pub async fn list_domains(
    _: Access<Admin>,
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
/// How a domain is registered, with the ids of its keys; never the keys themselves.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The domain's name")),
    responses(
        (status = 200, description = "The domain", body = DomainView),
        Refusals,
        NotThere,
    ),
)]
#[get("/v1/domains/{domain}")]
pub async fn get_domain(
    _: Access<Admin>,
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
/// Members that are left out take their defaults, and so do all of them without a body. Keys and the secret path stay as
/// they are.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The domain's name")),
    request_body = Option<PutDomainBody>,
    responses(
        (status = 200, description = "Changed", body = DomainView),
        (status = 201, description = "Registered", body = DomainView),
        Refusals,
        TooLong,
    ),
)]
#[put("/v1/domains/{domain}")]
pub async fn put_domain(
    Access { principal, .. }: Access<Admin>,
    state: Data<AppState>,
    domain: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<PutDomainBody>,
) -> Result<HttpResponse, ApiError> {
    let settings = DomainSettings {
        signature: signature_rule(&body.signature)
            .ok_or_else(|| ApiError::invalid("signature", "must be one of required, none"))?,
        apps: body.apps,
        joiner: Joiner::from_text(&body.joiner)
            .ok_or_else(|| ApiError::invalid("joiner", "must be empty or a plus sign"))?,
        rendition_templates: body.rendition_templates,
        concurrent_pushes: body.concurrent_pushes,
    };
    let (row, is_new) = admin::put_domain(&state.work_pool, &principal.actor, &domain, settings, clock::now()).await?;
    state.registry.refresh_after_change().await;
    let keys = store::signing_key::list_signing_keys(&state.work_pool).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(DomainView::new(row, &keys)))
}

/// Remove a domain
///
/// Stops receiving for it and forgets its keys. Its history stays.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The domain's name")),
    responses(
        (status = 204, description = "Removed"),
        Refusals,
        NotThere,
    ),
)]
#[delete("/v1/domains/{domain}")]
pub async fn delete_domain(
    Access { principal, .. }: Access<Admin>,
    state: Data<AppState>,
    domain: Path<String>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    admin::remove_domain(&state.work_pool, &principal.actor, named(&domain)?, clock::now()).await?;
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::NoContent().finish())
}

/// A key that is to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
pub struct AddKeyBody {
    /// The key as it is set at the provider; generated when it is left out.
    #[schema(value_type = Option<String>, min_length = 32, max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    key: Option<SecretString>,
}

/// A key that was added.
#[derive(Serialize, ToSchema)]
pub struct AddedKey {
    /// Its id.
    key_id: Uuid,
    /// The key itself, if it was generated. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
}

/// Add a callback key
///
/// Several keys may be active, so that a key can be changed at the provider without losing a message. Without a body, or
/// without `key`, one is generated.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The domain's name")),
    request_body = Option<AddKeyBody>,
    responses(
        (status = 201, description = "Added", body = AddedKey),
        Refusals,
        NotThere,
        Clash,
        TooLong,
    ),
)]
#[post("/v1/domains/{domain}/keys")]
pub async fn add_key(
    Access { principal, .. }: Access<Admin>,
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
/// Messages signed with it are refused from now on.
#[utoipa::path(
    tag = "administration",
    params(
        ("domain" = RegisteredName, Path, description = "The domain's name"),
        ("key_id" = Uuid, Path, description = "The key's id"),
    ),
    responses(
        (status = 204, description = "Removed"),
        Refusals,
        NotThere,
    ),
)]
#[delete("/v1/domains/{domain}/keys/{key_id}")]
pub async fn delete_key(
    Access { principal, .. }: Access<Admin>,
    state: Data<AppState>,
    path: Path<(String, String)>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let (domain, key_id) = path.into_inner();
    let key_id = Uuid::try_parse(&key_id).map_err(|_| ApiError::NotFound("key"))?;
    admin::remove_key(&state.work_pool, &principal.actor, named(&domain)?, key_id, clock::now()).await?;
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::NoContent().finish())
}

/// The domain that a path names. What cannot be a name is the name of none.
fn named(domain: &str) -> Result<&str, ApiError> {
    let strange = |character: char| character.is_control() || character == char::REPLACEMENT_CHARACTER;
    if domain.chars().any(strange) { Err(ApiError::NotFound("domain")) } else { Ok(domain) }
}

/// A new secret path.
#[derive(Serialize, ToSchema)]
pub struct CallbackPath {
    /// To be set at the provider behind this service's address. Shown this once.
    #[schema(example = "/callbacks/huawei/aVeryLongRandomText")]
    callback_path: String,
}

/// Give a domain a new secret path
///
/// The old one stops working.
#[utoipa::path(
    tag = "administration",
    params(("domain" = RegisteredName, Path, description = "The domain's name")),
    responses(
        (status = 201, description = "The new path", body = CallbackPath),
        Refusals,
        NotThere,
    ),
)]
#[post("/v1/domains/{domain}/callback-token")]
pub async fn replace_callback_token(
    Access { principal, .. }: Access<Admin>,
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
