//! Access control: who may read, and which data.
//!
//! A token is shown once, when it is created; only its SHA-256 is stored. Tokens have scopes, can be bound to domains
//! (they do not see any other), and can expire. This module only decides; it does not produce HTTP responses.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod last_use;
pub(crate) mod sign_in;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::access::Scope;
use crate::store::access_token::AccessTokenRow;
use sign_in::SignIn;

/// An actor, as named in logs and in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    /// The actor's token; `None` for the administrator's token and for commands.
    pub token_id: Option<Uuid>,
}

impl Actor {
    /// The holder of the administrator's token.
    pub fn administrator() -> Self {
        Self { name: "administrator".to_owned(), token_id: None }
    }
}

/// The holder of a valid token.
#[derive(Clone)]
pub struct Principal {
    pub actor: Actor,
    /// The sign-in to the dashboard; `None` if the token came with the request.
    pub sign_in: Option<SignIn>,
    scopes: Vec<Scope>,
    domains: Option<Vec<String>>,
    expires_at: Option<DateTime<Utc>>,
    token_hash: TokenHash,
}

impl Principal {
    /// Whether the token has the scope, or `admin`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&Scope::Admin) || self.scopes.contains(&scope)
    }

    /// Whether the token has no other scope than `read`.
    pub fn can_only_read(&self) -> bool {
        self.scopes.iter().all(|scope| *scope == Scope::Read)
    }

    pub fn token_hash(&self) -> &TokenHash {
        &self.token_hash
    }

    /// Domains that the token may see; all if `None`.
    pub fn visible_domains(&self) -> Option<&[String]> {
        self.domains.as_deref()
    }

    /// Whether the token may see a domain.
    pub fn sees(&self, domain: &str) -> bool {
        self.domains.as_ref().is_none_or(|domains| domains.iter().any(|visible| visible == domain))
    }
}

pub type TokenHash = [u8; 32];

/// The stored hash of a token. Tokens are long and random, so they need no salt.
pub fn hash_token(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// A new token: 256 random bits, with a prefix that makes leaked tokens searchable.
pub fn generate_token() -> SecretString {
    format!("stt_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())).into()
}

/// All valid tokens by hash, and the sign-ins that were signed out.
#[derive(Clone, Default)]
pub struct Tokens {
    by_hash: Arc<HashMap<TokenHash, Principal>>,
    signed_out: Arc<HashSet<Uuid>>,
}

impl Tokens {
    /// Tokens and sign-outs from the database, and the administrator's token from the settings.
    pub fn new(rows: &[AccessTokenRow], signed_out: &[Uuid], admin_token: &SecretString) -> Self {
        let administrator = Principal {
            actor: Actor::administrator(),
            sign_in: None,
            scopes: vec![Scope::Admin],
            domains: None,
            expires_at: None,
            token_hash: hash_token(admin_token.expose_secret()),
        };
        let principals = rows.iter().filter_map(principal_of).chain([administrator]);
        Self {
            by_hash: Arc::new(principals.map(|principal| (principal.token_hash, principal)).collect()),
            signed_out: Arc::new(signed_out.iter().copied().collect()),
        }
    }

    /// The holder of a token, if it is valid at `now`.
    pub fn authenticate(&self, token: &str, now: DateTime<Utc>) -> Option<Principal> {
        self.valid(&hash_token(token), now)
    }

    /// The holder of a token, if both the token and the sign-in are valid at `now`.
    pub fn authenticate_sign_in(&self, token: &str, sign_in: SignIn, now: DateTime<Utc>) -> Option<Principal> {
        let principal = Principal { sign_in: Some(sign_in), ..self.authenticate(token, now)? };
        self.renew(&principal, now)
    }

    /// The holder with current rights, if the token and the sign-in are still valid at `now`.
    pub fn renew(&self, principal: &Principal, now: DateTime<Utc>) -> Option<Principal> {
        let has_ended = |sign_in: SignIn| sign_in.until <= now || self.signed_out.contains(&sign_in.id);
        if principal.sign_in.is_some_and(has_ended) {
            return None;
        }
        Some(Principal { sign_in: principal.sign_in, ..self.valid(&principal.token_hash, now)? })
    }

    fn valid(&self, token_hash: &TokenHash, now: DateTime<Utc>) -> Option<Principal> {
        let principal = self.by_hash.get(token_hash)?;
        principal.expires_at.is_none_or(|expires_at| now < expires_at).then(|| principal.clone())
    }
}

fn principal_of(row: &AccessTokenRow) -> Option<Principal> {
    Some(Principal {
        actor: Actor { name: row.name.clone(), token_id: Some(row.token_id) },
        sign_in: None,
        scopes: row.scopes.clone(),
        domains: row.domains.clone(),
        expires_at: row.expires_at,
        token_hash: row.token_hash.as_slice().try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    fn tokens(expires_at: Option<DateTime<Utc>>) -> Tokens {
        let row = AccessTokenRow {
            token_id: Uuid::nil(),
            name: "wall".into(),
            token_hash: hash_token("stt_wall").to_vec(),
            scopes: vec![Scope::Read],
            domains: Some(vec!["push.example.com".into()]),
            created_at: at(0),
            expires_at,
            last_used_at: None,
        };
        Tokens::new(&[row], &[Uuid::nil()], &"the administrator's own token".into())
    }

    #[test]
    fn a_token_may_what_its_scopes_say_and_sees_its_domains_alone() {
        let wall = tokens(None).authenticate("stt_wall", at(0)).expect("valid");
        assert!(wall.may(Scope::Read) && !wall.may(Scope::Personal) && !wall.may(Scope::Admin));
        assert!(wall.sees("push.example.com") && !wall.sees("push.example.co"));
        let admin = tokens(None).authenticate("the administrator's own token", at(0)).expect("valid");
        assert!(Scope::ALL.iter().all(|scope| admin.may(*scope)) && admin.sees("any"));
    }

    #[test]
    fn an_unknown_or_expired_token_is_nobody() {
        let tokens = tokens(Some(at(10)));
        assert!(tokens.authenticate("stt_wal", at(0)).is_none());
        assert!(tokens.authenticate("stt_wall", at(9)).is_some());
        assert!(tokens.authenticate("stt_wall", at(10)).is_none());
    }

    #[test]
    fn a_sign_in_is_good_until_its_time_is_over_its_holder_signs_out_or_the_token_is_invalid() {
        let sign_in = |id: u128, until| SignIn { id: Uuid::from_u128(id), until: at(until) };
        let is_good = |sign_in, now| {
            let tokens = tokens(Some(at(10)));
            let wall = tokens.authenticate_sign_in("stt_wall", sign_in, at(0));
            wall.is_some_and(|wall| tokens.renew(&wall, at(now)).is_some_and(|wall| wall.sign_in == Some(sign_in)))
        };
        assert!(is_good(sign_in(1, 5), 4));
        assert!(!is_good(sign_in(1, 5), 5));
        assert!(!is_good(sign_in(1, 50), 10));
        assert!(!is_good(sign_in(0, 5), 4));
    }
}
