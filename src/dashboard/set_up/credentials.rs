//! A domain's keys and its secret path.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::super::error::PageError;
use super::super::form::{self, SubmittedForm};
use super::super::layout;
use super::super::visitor::Visitor;
use super::super::words;
use super::{ask_confirmation, find_domain, page_of, show_once};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::external_url::url_of;
use crate::model::access::Scope;
use crate::platform::clock;
use crate::registry::admin;
use crate::store;
use crate::store::domain::DomainRow;

/// How many of the newest events are searched for the use of keys.
const SEARCHED_EVENTS: i64 = 10_000;

pub struct Key {
    id: Uuid,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

/// Newest first.
pub async fn list_keys(state: &AppState, domain: &str) -> Result<Vec<Key>, PageError> {
    let keys = store::signing_key::list_signing_keys(&state.work_pool).await?;
    let uses = store::signing_key::list_key_uses(&state.query_pool, domain, SEARCHED_EVENTS).await?;
    let last_use = |key_id| uses.iter().find(|one| one.key_id == key_id).map(|one| one.last_used_at);
    let keys = keys.into_iter().filter(|key| key.domain == domain);
    Ok(keys.map(|key| Key { id: key.key_id, created_at: key.created_at, last_used_at: last_use(key.key_id) }).collect())
}

pub fn key_section(visitor: &Visitor, domain: &DomainRow, keys: &[Key]) -> Markup {
    let view = visitor.view;
    let path = format!("{}/keys", page_of(&domain.domain));
    html! {
        h2 #keys { "Keys" }
        @if keys.is_empty() {
            div.card { p { "No key yet: every callback is rejected." } p.hint { "Generate a key and set it at the provider, or enter the key that is set there." } }
        } @else {
            table {
                thead { tr { th { "Key ID" } th { "Added" } th { "Last used" } th { "Action" } } }
                tbody { @for key in keys { tr {
                    td { code { (key.id) } }
                    td data-label="added" { (words::time(view, key.created_at)) }
                    td data-label="last used" { @match key.last_used_at { Some(at) => (words::time(view, at)), None => "not used recently" } }
                    td { a href=(format!("{path}/{}/remove", key.id)) { "Remove" } }
                } } }
            }
            p.hint { "To rotate the key without losing a callback: generate a new key, set it at the provider, wait until it has been used here, then remove the old key. Until then both keys are valid." }
        }
        (form::form(visitor, "actions", &path, &html! { button { "Generate key" } }))
        details {
            summary { "Enter an existing key" }
            (form::form(visitor, "card", &path, &html! {
                label { "Key, 32 to 128 characters"
                    input type="password" name="key" required autocomplete="off";
                }
                button { "Add key" }
            }))
        }
    }
}

pub fn path_section(domain: &DomainRow) -> Markup {
    let has_one = domain.callback_token_hash.is_some();
    html! {
        h2 { "Secret path" }
        p {
            @if has_one { "This domain has a secret path. " } @else { "This domain has no secret path. " }
            a href=(format!("{}/secret-path", page_of(&domain.domain))) { @if has_one { "Replace it" } @else { "Create one" } }
        }
        p.hint { "A callback URL that only the provider knows: required for unsigned callbacks, possible for signed ones." }
    }
}

#[post("/set-up/domains/{domain}/keys")]
pub async fn add_key(
    submitted: SubmittedForm,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let given = submitted.text("key").map(SecretString::from);
    let generated = given.is_none();
    let actor = &submitted.visitor.principal.actor;
    let master_keys = state.registry.master_keys();
    let added = admin::add_key(&state.work_pool, actor, master_keys, &row.domain, given, clock::now()).await;
    let (_, key) = added.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    if !generated {
        return Ok(layout::redirect_to(&format!("{}#keys", page_of(&row.domain))));
    }
    let next = html! {
        p { "Set it at the provider as the key of " (row.domain) ". Callbacks signed with it are accepted from now on." }
        p { a.button href=(page_of(&row.domain)) { "Done" } }
    };
    Ok(show_once(&submitted.visitor, "New key", "The key", &key, &next))
}

#[get("/set-up/domains/{domain}/keys/{key_id}/remove")]
pub async fn show_key_removal(
    visitor: Visitor,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    visitor.require_scope(Scope::Admin)?;
    let (domain, key_id) = path.into_inner();
    let row = find_domain(&state, &domain).await?;
    let keys = list_keys(&state, &row.domain).await?;
    let key = keys.iter().find(|key| key.id.to_string() == key_id).ok_or(ApiError::NotFound("key"))?;
    let what = html! {
        p { "Key " code { (key.id) } ", added " (words::time(view, key.created_at)) }
        @if let Some(last_used_at) = key.last_used_at {
            p.wrong { "It was last used at " (words::time(view, last_used_at)) ": the provider may still sign with it." }
        }
        @if keys.len() == 1 { p.wrong { "It is the only key: without it, every callback is rejected." } }
        (form::confirmation("Reject callbacks signed with this key."))
    };
    let back = page_of(&row.domain);
    let path = format!("{back}/keys/{}/remove", key.id);
    Ok(ask_confirmation(&visitor, "Remove a key?", &what, &back, &path, "Remove key"))
}

#[post("/set-up/domains/{domain}/keys/{key_id}/remove")]
pub async fn remove_key(
    submitted: SubmittedForm,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    submitted.require_confirmation()?;
    let (domain, key_id) = path.into_inner();
    let row = find_domain(&state, &domain).await?;
    let key_id = Uuid::try_parse(&key_id).map_err(|_| ApiError::NotFound("key"))?;
    let actor = &submitted.visitor.principal.actor;
    let removed = admin::remove_key(&state.work_pool, actor, &row.domain, key_id, clock::now()).await;
    removed.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&format!("{}#keys", page_of(&row.domain))))
}

#[get("/set-up/domains/{domain}/secret-path")]
pub async fn show_path_replacement(
    visitor: Visitor,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    visitor.require_scope(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let what = html! {
        p { "The new callback URL is shown only once. Set it at the provider." }
        @if row.callback_token_hash.is_some() {
            (form::confirmation("The old callback URL stops working immediately."))
        } @else {
            input type="hidden" name="confirmed" value="yes";
        }
    };
    let back = page_of(&row.domain);
    Ok(ask_confirmation(
        &visitor,
        "New secret path",
        &what,
        &back,
        &format!("{back}/secret-path"),
        "Create secret path",
    ))
}

#[post("/set-up/domains/{domain}/secret-path")]
pub async fn replace_path(
    submitted: SubmittedForm,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    submitted.require_confirmation()?;
    let row = find_domain(&state, &domain).await?;
    let actor = &submitted.visitor.principal.actor;
    let replaced = admin::replace_callback_token(&state.work_pool, actor, &row.domain, clock::now()).await;
    let token = replaced.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    let url = url_of(&request, &format!("/callbacks/huawei/{}", token.expose_secret()));
    let next = html! {
        p { "Set it at the provider as the callback URL of " (row.domain) "." }
        p { a.button href=(page_of(&row.domain)) { "Done" } }
    };
    Ok(show_once(&submitted.visitor, "New secret path", "The callback URL", &url.into(), &next))
}
