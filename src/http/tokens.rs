//! `/v1/tokens`: creates, lists and revokes tokens.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, Body, RequireAdmin};
use crate::access::admin::{self, NewToken};
use crate::api::error_responses::{CommonErrors, NotFoundResponse, PayloadErrors};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::api::schema::DomainName;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::platform::clock;
use crate::store;
use crate::store::access_token::AccessTokenRow;

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
pub struct CreateTokenBody {
    /// Name of the token: its purpose or owner.
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "wall display")]
    name: String,
    /// Scopes of the token.
    #[schema(value_type = Vec<Scope>, min_items = 1)]
    scopes: Vec<String>,
    /// Domains that the token may see; all if null. Must be null for the scope `admin`.
    #[schema(value_type = Option<Vec<DomainName>>, min_items = 1)]
    domains: Option<Vec<String>>,
    /// Expiry, in the future; never if null.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
}

/// A token without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    /// ID.
    token_id: Uuid,
    /// Name of the token: its purpose or owner.
    name: String,
    /// Scopes of the token.
    scopes: Vec<Scope>,
    /// Domains that the token may see; all if null.
    #[schema(required)]
    domains: Option<Vec<String>>,
    /// Time of creation.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    /// Expiry; never if null.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
    /// Time of the last use, accurate to some seconds; null before the first use.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    last_used_at: Option<DateTime<Utc>>,
}

impl From<AccessTokenRow> for TokenView {
    fn from(row: AccessTokenRow) -> Self {
        Self {
            token_id: row.token_id,
            name: row.name,
            scopes: row.scopes,
            domains: row.domains,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

/// A created token.
#[derive(Serialize, ToSchema)]
pub struct CreatedToken {
    /// The secret token. Shown only once.
    token: String,
    #[serde(flatten)]
    made: TokenView,
}

/// A page of tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenPage)]
pub struct TokenPageView {
    /// The tokens, oldest first.
    data: Vec<TokenView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

pub struct ListTokensQuery {
    page: PageRequest<(DateTime<Utc>, Uuid)>,
}

impl FromQuery for ListTokensQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

/// List tokens
///
/// All tokens that are not revoked, oldest first, without their secrets. The administrator's token is a setting of the
/// service and not listed.
#[utoipa::path(
    tag = "administration",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of tokens", body = TokenPageView),
        CommonErrors,
    ),
)]
#[get("/v1/tokens")]
pub async fn list_tokens(
    _: Access<RequireAdmin>,
    state: Data<AppState>,
    Query(parameters): Query<ListTokensQuery>,
) -> Result<Json<TokenPageView>, ApiError> {
    let rows = store::access_token::list_access_tokens(&state.work_pool).await?;
    let (data, next_cursor) =
        parameters.page.page_of_whole(rows, |row| (row.created_at, row.token_id), TokenView::from);
    Ok(Json(TokenPageView { data, next_cursor }))
}

/// Create a token
///
/// Only this response contains the token: the service stores only its hash.
#[utoipa::path(
    tag = "administration",
    request_body = CreateTokenBody,
    responses(
        (status = 201, description = "Created", body = CreatedToken),
        CommonErrors,
        PayloadErrors,
    ),
)]
#[post("/v1/tokens")]
pub async fn create_token(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    _: Query<NoParameters>,
    Body(body): Body<CreateTokenBody>,
) -> Result<HttpResponse, ApiError> {
    let scopes = body.scopes.iter().map(|scope| scope.parse::<Scope>()).collect::<Result<Vec<_>, _>>();
    let new = NewToken {
        name: body.name,
        scopes: scopes
            .map_err(|_| ApiError::invalid("scopes", "must be one or more of read, personal, billing, admin"))?,
        domains: body.domains,
        expires_at: body.expires_at,
    };
    let (row, token) = admin::create_token(&state.work_pool, &principal.actor, new, clock::now()).await?;
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::Created().json(CreatedToken { token: token.expose_secret().to_owned(), made: row.into() }))
}

/// Revoke a token
///
/// Takes effect in every process within 2 seconds.
#[utoipa::path(
    tag = "administration",
    params(("token_id" = Uuid, Path, description = "The ID of the token")),
    responses(
        (status = 204, description = "Revoked"),
        CommonErrors,
        NotFoundResponse,
    ),
)]
#[delete("/v1/tokens/{token_id}")]
pub async fn revoke_token(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    token_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let token_id = parse_id(&token_id, "token")?;
    if !admin::revoke_token(&state.work_pool, &principal.actor, token_id, clock::now()).await? {
        return Err(ApiError::NotFound("token"));
    }
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::NoContent().finish())
}
