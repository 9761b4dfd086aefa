//! A domain's keys and its secret path: made, shown once, replaced, removed.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::super::error::PageError;
use super::super::form::{self, Posted};
use super::super::frame;
use super::super::visitor::Visitor;
use super::super::words;
use super::{find_domain, once, page_of, question};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::external_url::url_of;
use crate::model::access::Scope;
use crate::platform::clock;
use crate::registry::admin;
use crate::store;
use crate::store::domain::DomainRow;

/// How many of the newest entries of the log are looked at for the use of keys.
const ENTRIES: i64 = 10_000;

/// A key, and whether it is in use.
pub struct Key {
    id: Uuid,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

/// The keys of a domain, newest first.
pub async fn list_keys(state: &AppState, domain: &str) -> Result<Vec<Key>, PageError> {
    let keys = store::signing_key::list_signing_keys(&state.work_pool).await?;
    let uses = store::signing_key::list_key_uses(&state.query_pool, domain, ENTRIES).await?;
    let last_use = |key_id| uses.iter().find(|one| one.key_id == key_id).map(|one| one.last_used_at);
    let keys = keys.into_iter().filter(|key| key.domain == domain);
    Ok(keys.map(|key| Key { id: key.key_id, created_at: key.created_at, last_used_at: last_use(key.key_id) }).collect())
}

/// The keys on the domain's page.
pub fn key_section(visitor: &Visitor, domain: &DomainRow, keys: &[Key]) -> Markup {
    let path = format!("{}/keys", page_of(&domain.domain));
    html! {
        h2 #keys { "Keys" }
        @if keys.is_empty() {
            div.card { p { "No key yet: every message is refused." } p.hint { "Generate one and set it at the provider, or enter the one that is set there." } }
        } @else {
            table {
                thead { tr { th { "Key id" } th { "Added" } th { "Last verified a message" } th { "Do" } } }
                tbody { @for key in keys { tr {
                    td { code { (key.id) } }
                    td data-label="added" { (words::time(key.created_at)) }
                    td data-label="last verified" { @match key.last_used_at { Some(at) => (words::time(at)), None => "none of late" } }
                    td { a href=(format!("{path}/{}/remove", key.id)) { "Remove" } }
                } } }
            }
            p.hint { "To change the key without losing a message: generate a new one, set it at the provider, wait until it has verified a message here, then remove the old one. Until then both are good." }
        }
        (form::form(visitor, "actions", &path, &html! { button { "Generate key" } }))
        details {
            summary { "Enter a key that is set at the provider" }
            (form::form(visitor, "card", &path, &html! {
                label { "Key, 32 to 128 characters"
                    input type="password" name="key" required autocomplete="off";
                }
                button { "Add key" }
            }))
        }
    }
}

/// The secret path on the domain's page.
pub fn path_section(domain: &DomainRow) -> Markup {
    let has_one = domain.callback_token_hash.is_some();
    html! {
        h2 { "Secret path" }
        p {
            @if has_one { "It has one. " } @else { "It has none. " }
            a href=(format!("{}/secret-path", page_of(&domain.domain))) { @if has_one { "Replace it" } @else { "Make one" } }
        }
        p.hint { "A URL that only the provider knows: needed for messages that are not signed, and good for signed ones as well." }
    }
}

#[post("/set-up/domains/{domain}/keys")]
pub async fn add_key(posted: Posted, state: Data<AppState>, domain: Path<String>) -> Result<HttpResponse, PageError> {
    posted.demand(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let given = posted.text("key").map(SecretString::from);
    let generated = given.is_none();
    let (actor, master_keys) = (&posted.visitor.principal.actor, state.registry.master_keys());
    let added = admin::add_key(&state.work_pool, actor, master_keys, &row.domain, given, clock::now()).await;
    let (_, key) = added.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    if !generated {
        return Ok(frame::led_to(&format!("{}#keys", page_of(&row.domain))));
    }
    let next = html! {
        p { "Set it at the provider as the key of " (row.domain) ". Messages that it signs are accepted from now on." }
        p { a.button href=(page_of(&row.domain)) { "Done" } }
    };
    Ok(once(&posted.visitor, "A new key", "The key", &key, &next))
}

#[get("/set-up/domains/{domain}/keys/{key_id}/remove")]
pub async fn show_key_removal(
    visitor: Visitor,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    visitor.demand(Scope::Admin)?;
    let (domain, key_id) = path.into_inner();
    let row = find_domain(&state, &domain).await?;
    let keys = list_keys(&state, &row.domain).await?;
    let key = keys.iter().find(|key| key.id.to_string() == key_id).ok_or(ApiError::NotFound("key"))?;
    let what = html! {
        p { "Key " code { (key.id) } ", added " (words::time(key.created_at)) }
        @if let Some(last_used_at) = key.last_used_at {
            p.wrong { "It verified a message as late as " (words::time(last_used_at)) ": the provider may still sign with it." }
        }
        @if keys.len() == 1 { p.wrong { "It is the only key: without it, every message is refused." } }
        (form::confirmation("Messages that it signs are to be refused."))
    };
    let back = page_of(&row.domain);
    let path = format!("{back}/keys/{}/remove", key.id);
    Ok(question(&visitor, "Remove a key?", &what, &back, &path, "Remove key"))
}

#[post("/set-up/domains/{domain}/keys/{key_id}/remove")]
pub async fn remove_key(
    posted: Posted,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    posted.demand(Scope::Admin)?;
    posted.demand_confirmation()?;
    let (domain, key_id) = path.into_inner();
    let row = find_domain(&state, &domain).await?;
    let key_id = Uuid::try_parse(&key_id).map_err(|_| ApiError::NotFound("key"))?;
    let actor = &posted.visitor.principal.actor;
    let removed = admin::remove_key(&state.work_pool, actor, &row.domain, key_id, clock::now()).await;
    removed.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(frame::led_to(&format!("{}#keys", page_of(&row.domain))))
}

#[get("/set-up/domains/{domain}/secret-path")]
pub async fn show_path_replacement(
    visitor: Visitor,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    visitor.demand(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let what = html! {
        p { "The new URL is shown once, to be set at the provider." }
        @if row.callback_token_hash.is_some() {
            (form::confirmation("The old one is to stop working at once."))
        } @else {
            input type="hidden" name="confirmed" value="yes";
        }
    };
    let back = page_of(&row.domain);
    Ok(question(&visitor, "A new secret path", &what, &back, &format!("{back}/secret-path"), "Make secret path"))
}

#[post("/set-up/domains/{domain}/secret-path")]
pub async fn replace_path(
    posted: Posted,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    posted.demand(Scope::Admin)?;
    posted.demand_confirmation()?;
    let row = find_domain(&state, &domain).await?;
    let actor = &posted.visitor.principal.actor;
    let replaced = admin::replace_callback_token(&state.work_pool, actor, &row.domain, clock::now()).await;
    let token = replaced.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    let url = url_of(&request, &format!("/callbacks/huawei/{}", token.expose_secret()));
    let next = html! {
        p { "Set it at the provider as the notification URL of " (row.domain) "." }
        p { a.button href=(page_of(&row.domain)) { "Done" } }
    };
    Ok(once(&posted.visitor, "A new secret path", "The notification URL", &url.into(), &next))
}
