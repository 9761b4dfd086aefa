//! Creates and revokes tokens.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::audit::{self, Subject};
use super::{Actor, generate_token, hash_token};
use crate::model::access::{Act, Scope};
use crate::store;
use crate::store::access_token::AccessTokenRow;

/// The settings of a new token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Purpose or owner, 1 to 200 characters.
    pub name: String,
    /// At least one.
    pub scopes: Vec<Scope>,
    /// Domains that the token may see; all if `None`.
    pub domains: Option<Vec<String>>,
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug, thiserror::Error)]
pub enum NewTokenError {
    /// A member is invalid.
    #[error("{name}: {reason}")]
    Invalid { name: &'static str, reason: &'static str },
    #[error("the database failed to store the token")]
    Database(#[from] sqlx::Error),
}

/// Creates a token and returns its row and the token. Only the hash is stored.
///
/// # Errors
/// [`NewTokenError::Invalid`] names the invalid member.
pub async fn create_token(
    pool: &PgPool,
    actor: &Actor,
    new: NewToken,
    now: DateTime<Utc>,
) -> Result<(AccessTokenRow, SecretString), NewTokenError> {
    check(&new, now)?;
    let token = generate_token();
    let scopes = Scope::ALL.iter().copied().filter(|scope| new.scopes.contains(scope));
    let row = AccessTokenRow {
        token_id: Uuid::new_v4(),
        name: new.name,
        token_hash: hash_token(token.expose_secret()).to_vec(),
        scopes: scopes.collect(),
        domains: new.domains,
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    let mut transaction = pool.begin().await?;
    store::installation::lock_registry(&mut *transaction).await?;
    store::access_token::insert_access_token(&mut *transaction, &row).await?;
    let details = json!({
        "name": row.name, "scopes": row.scopes, "domains": row.domains, "expires_at": row.expires_at,
    });
    let subject = Subject { id: Some(row.token_id), details: Some(details), ..Subject::default() };
    audit::record(&mut *transaction, actor, now, Act::TokenCreated, subject).await?;
    transaction.commit().await?;
    Ok((row, token))
}

fn check(new: &NewToken, now: DateTime<Utc>) -> Result<(), NewTokenError> {
    let invalid = |name, reason| Err(NewTokenError::Invalid { name, reason });
    if !(1..=200).contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
        return invalid("name", "must have 1 to 200 characters, no control characters");
    }
    if new.scopes.is_empty() {
        return invalid("scopes", "must name at least one scope");
    }
    if new.domains.as_ref().is_some_and(Vec::is_empty) {
        return invalid("domains", "must be null or name at least one domain");
    }
    if new.domains.iter().flatten().any(|domain| domain.is_empty() || domain.chars().any(char::is_control)) {
        return invalid("domains", "must be names of domains");
    }
    if new.domains.is_some() && new.scopes.contains(&Scope::Admin) {
        return invalid("domains", "must be null for a token with scope admin, which may do everything");
    }
    if new.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return invalid("expires_at", "must lie in the future");
    }
    Ok(())
}

/// Revokes a token. Returns whether it existed.
pub async fn revoke_token(
    pool: &PgPool,
    actor: &Actor,
    token_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    store::installation::lock_registry(&mut *transaction).await?;
    let revoked = store::access_token::delete_access_token(&mut *transaction, token_id).await?;
    if revoked {
        let subject = Subject { id: Some(token_id), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::TokenRevoked, subject).await?;
    }
    transaction.commit().await?;
    Ok(revoked)
}
