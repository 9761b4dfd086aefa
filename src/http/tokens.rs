//! `/v1/tokens`: who may read.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Access, Admin, Body};
use crate::access::admin::{self, NewToken};
use crate::api::error_responses::{NotThere, Refusals, TooLong};
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::api::schema::DomainName;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::platform::clock;
use crate::store;
use crate::store::access_token::AccessTokenRow;

/// A token that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
pub struct CreateTokenBody {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "wall display")]
    name: String,
    /// What it may do.
    #[schema(value_type = Vec<Scope>, min_items = 1)]
    scopes: Vec<String>,
    /// The domains that exist for it; all when null. Null for a token with scope `admin`.
    #[schema(value_type = Option<Vec<DomainName>>, min_items = 1)]
    domains: Option<Vec<String>>,
    /// When it stops working, in the future; never when null.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
}

/// A token, without the token itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    /// Its id.
    token_id: Uuid,
    /// What it is for.
    name: String,
    /// What it may do.
    scopes: Vec<Scope>,
    /// The domains that exist for it; all when null.
    #[schema(required)]
    domains: Option<Vec<String>>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    /// When it stops working; never when null.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to some seconds; null before its first use.
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

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub struct CreatedToken {
    /// The token itself. Shown this once.
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
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Which page of the tokens.
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
/// Every token that was made and not revoked, oldest first; never the tokens themselves. The administrator's own is in
/// the settings, not here.
#[utoipa::path(
    tag = "administration",
    params(PageParameters),
    responses(
        (status = 200, description = "Every token", body = TokenPageView),
        Refusals,
    ),
)]
#[get("/v1/tokens")]
pub async fn list_tokens(
    _: Access<Admin>,
    state: Data<AppState>,
    Query(parameters): Query<ListTokensQuery>,
) -> Result<Json<TokenPageView>, ApiError> {
    let rows = store::access_token::list_access_tokens(&state.work_pool).await?;
    let (data, next_cursor) =
        parameters.page.page_of_whole(rows, |row| (row.created_at, row.token_id), TokenView::from);
    Ok(Json(TokenPageView { data, next_cursor }))
}

/// Make a token
///
/// The token is in this answer and nowhere else: only its hash is kept.
#[utoipa::path(
    tag = "administration",
    request_body = CreateTokenBody,
    responses(
        (status = 201, description = "Made", body = CreatedToken),
        Refusals,
        TooLong,
    ),
)]
#[post("/v1/tokens")]
pub async fn create_token(
    Access { principal, .. }: Access<Admin>,
    state: Data<AppState>,
    _: Query<NoParameters>,
    Body(body): Body<CreateTokenBody>,
) -> Result<HttpResponse, ApiError> {
    let scopes = body.scopes.iter().map(|scope| scope.parse::<Scope>()).collect::<Result<Vec<_>, _>>();
    let new = NewToken {
        name: body.name,
        scopes: scopes.map_err(|_| ApiError::invalid("scopes", "must be of read, personal, billing, admin"))?,
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
    params(("token_id" = Uuid, Path, description = "The token's id")),
    responses(
        (status = 204, description = "Revoked"),
        Refusals,
        NotThere,
    ),
)]
#[delete("/v1/tokens/{token_id}")]
pub async fn revoke_token(
    Access { principal, .. }: Access<Admin>,
    state: Data<AppState>,
    token_id: Path<String>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let token_id = Uuid::try_parse(&token_id).map_err(|_| ApiError::NotFound("token"))?;
    if !admin::revoke_token(&state.work_pool, &principal.actor, token_id, clock::now()).await? {
        return Err(ApiError::NotFound("token"));
    }
    state.registry.refresh_after_change().await;
    Ok(HttpResponse::NoContent().finish())
}
