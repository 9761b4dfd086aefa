//! A domain's keys and its secret path.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::super::draft::{Draft, FieldError};
use super::super::error::PageError;
use super::super::form::{self, AdminForm};
use super::super::texts::Language;
use super::super::view::View;
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{layout, links, words};
use super::domain::{Drafts, domain_page};
use super::secret::{SecretKind, redirect_with};
use super::{Confirmation, find_domain};
use crate::api::problem::{ApiError, parse_id};
use crate::app::state::AppState;
use crate::http::external_url::url_of;
use crate::platform::clock;
use crate::registry::admin::{self, AdminError};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    InUse,
    NotUsedYet,
    /// A newer key has been used since.
    Old,
}

/// The state of a key among all keys of its domain.
fn state_of(key: &SigningKeyRow, keys: &[SigningKeyRow]) -> KeyState {
    let newer_use =
        keys.iter().filter(|other| other.created_at > key.created_at).filter_map(|other| other.last_used_at);
    match (key.last_used_at, newer_use.max()) {
        (None, None) => KeyState::NotUsedYet,
        (Some(last), Some(newer)) if last > newer => KeyState::InUse,
        (_, Some(_)) => KeyState::Old,
        (Some(_), None) => KeyState::InUse,
    }
}

/// The beginning of a key's id: enough to distinguish the keys of a domain.
pub fn short_id(id: Uuid) -> String {
    id.simple().to_string().chars().take(8).collect()
}

/// Newest first.
pub async fn list_keys(state: &AppState, domain: &str) -> Result<Vec<SigningKeyRow>, PageError> {
    let mut keys = store::signing_key::list_signing_keys(&state.work_pool).await?;
    keys.retain(|key| key.domain == domain);
    Ok(keys)
}

pub fn key_section(visitor: &Visitor, domain: &DomainRow, keys: &[SigningKeyRow], draft: &Draft) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let path = format!("{}/keys", links::domain(&domain.domain));
    html! {
        h2 #keys { (text.setup_keys()) }
        @if keys.is_empty() {
            div.card.error { p { (text.setup_key_none()) } p.hint { (text.setup_key_none_hint()) } }
        } @else {
            div.scroll { table {
                thead { tr { th { (text.setup_key_added()) } th { (text.id()) } th { (text.state()) } th { (text.setup_last_used()) } th.number { (text.action()) } } }
                tbody { @for key in keys { tr {
                    td.name { (words::time(view, key.created_at)) }
                    td data-label=(text.id()) { code title=(key.key_id) { (short_id(key.key_id)) } }
                    td { (mark(text, state_of(key, keys))) }
                    td data-label=(text.setup_last_used()) { (words::maybe_ago(view, key.last_used_at)) }
                    td.number { a.button.small href=(format!("{path}/{}/remove", key.key_id)) { (text.setup_remove()) } }
                } } }
            } }
            details { summary { (text.setup_rotate()) } (text.setup_rotate_hint()) }
        }
        (form::form(visitor, "actions", &path, &html! { button.primary[keys.is_empty()] { (text.setup_generate_key()) } }))
        details open[draft.is_rejected() || keys.iter().all(|key| key.last_used_at.is_none())] {
            summary { (text.setup_enter_key()) }
            (form::form(visitor, "card", &path, &html! {
                label { (text.setup_enter_key_label())
                    input type="password" name="key" required autocomplete="off" aria-invalid=[draft.invalid("key")] aria-describedby=[draft.described_by("key")];
                }
                (draft.error("key"))
                p.hint { (text.setup_enter_key_hint()) }
                button { (text.problems_add_key()) }
            }))
        }
    }
}

fn mark(text: Language, state: KeyState) -> Markup {
    match state {
        KeyState::InUse => html! { span.state.live { (text.setup_key_in_use()) } },
        KeyState::NotUsedYet => html! { span.state.unconfirmed { (text.setup_key_not_used_yet()) } },
        KeyState::Old => html! { span.state.ended { (text.setup_key_old()) } },
    }
}

pub fn path_section(visitor: &Visitor, domain: &DomainRow) -> Markup {
    let text = visitor.view.language;
    let has_one = domain.callback_token_hash.is_some();
    html! {
        h2 #secret-path { (text.setup_path()) }
        p.hint { (text.setup_path_hint()) }
        p {
            @if has_one { (text.setup_path_exists()) } @else { (text.setup_path_missing()) } " "
            a.button href=(format!("{}/secret-path", links::domain(&domain.domain))) {
                @if has_one { (text.setup_path_replace()) } @else { (text.setup_path_create()) }
            }
        }
    }
}

#[post("/set-up/domains/{domain}/keys")]
pub async fn add_key(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let row = find_domain(&state, &domain).await?;
    let Some(given) = submitted.text("key").map(SecretString::from) else {
        return generate_key(&state, &request, visitor, &row.domain).await;
    };
    let (actor, keys) = (&visitor.principal.actor, state.registry.master_keys());
    let added = admin::add_key(&state.work_pool, actor, keys, &row.domain, Some(given), clock::now()).await;
    if let Err(error) = added {
        let drafts = Drafts::with_key(&row, Draft::typed(&submitted, [key_error(error, visitor.view.language)?]));
        return domain_page(visitor, &state, &request, &row, &drafts).await;
    }
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&format!("{}#keys", links::domain(&row.domain))))
}

fn key_error(error: AdminError, text: Language) -> Result<FieldError, PageError> {
    match error {
        AdminError::KeyExists => Ok(FieldError::new("key", text.setup_key_exists())),
        AdminError::KeyShared(domain) => Ok(FieldError::new("key", text.setup_key_shared(&domain))),
        other => FieldError::of(other.into(), text),
    }
}

/// Makes a key, and leads to the page that shows it.
pub async fn generate_key(
    state: &AppState,
    request: &HttpRequest,
    visitor: &Visitor,
    domain: &str,
) -> Result<HttpResponse, PageError> {
    let (actor, keys) = (&visitor.principal.actor, state.registry.master_keys());
    let added = admin::add_key(&state.work_pool, actor, keys, domain, None, clock::now()).await;
    state.registry.refresh_after_change().await;
    let (_, key) = added.map_err(ApiError::from)?;
    let page = links::connect(domain);
    redirect_with(state, request, visitor, &page, (SecretKind::Key, &key))
}

#[get("/set-up/domains/{domain}/keys/{key_id}/remove")]
pub async fn show_key_removal(
    visitor: AdminVisitor,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let (domain, key_id) = path.into_inner();
    let key_id = parse_id(&key_id, "key")?;
    let row = find_domain(&state, &domain).await?;
    let keys = list_keys(&state, &row.domain).await?;
    let key = keys.iter().find(|key| key.key_id == key_id).ok_or(ApiError::NotFound("key"))?;
    let back = format!("{}#keys", links::domain(&row.domain));
    let confirmation = Confirmation {
        title: &text.setup_remove_key_title(),
        what: &removal_warnings(visitor.view, key, &keys),
        back: &back,
        path: &format!("{}/keys/{}/remove", links::domain(&row.domain), key.key_id),
        button: &text.setup_remove_key(),
        destroys: true,
    };
    Ok(confirmation.page(&visitor))
}

fn removal_warnings(view: View, key: &SigningKeyRow, keys: &[SigningKeyRow]) -> Markup {
    let text = view.language;
    let state = state_of(key, keys);
    html! {
        p { code { (short_id(key.key_id)) } ", " (words::fill(&text.setup_added_at(), &[words::time(view, key.created_at)])) " " (mark(text, state)) }
        @if let Some(last_used_at) = key.last_used_at {
            p.wrong { (words::fill(&text.setup_remove_used_key(), &[words::ago(view, last_used_at)])) }
        }
        @if keys.len() == 1 { p.wrong { (text.setup_remove_only_key()) } }
        @match state {
            // Its successor works.
            KeyState::Old => { input type="hidden" name="confirmed" value="yes"; }
            KeyState::InUse | KeyState::NotUsedYet => { (form::confirmation(&text.setup_remove_key_confirm())) }
        }
    }
}

#[post("/set-up/domains/{domain}/keys/{key_id}/remove")]
pub async fn remove_key(
    submitted: AdminForm,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    submitted.require_confirmation()?;
    let (domain, key_id) = path.into_inner();
    let row = find_domain(&state, &domain).await?;
    let key_id = parse_id(&key_id, "key")?;
    let actor = &submitted.visitor.principal.actor;
    let removed = admin::remove_key(&state.work_pool, actor, &row.domain, key_id, clock::now()).await;
    removed.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&format!("{}#keys", links::domain(&row.domain))))
}

#[get("/set-up/domains/{domain}/secret-path")]
pub async fn show_path_replacement(
    visitor: AdminVisitor,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let row = find_domain(&state, &domain).await?;
    let replaces = row.callback_token_hash.is_some();
    let what = html! {
        p { (text.setup_path_new_hint()) }
        @if replaces { (form::confirmation(&text.setup_path_replace_confirm())) }
        @else { input type="hidden" name="confirmed" value="yes"; }
    };
    let title = if replaces { text.setup_path_replace() } else { text.setup_path_create() };
    let confirmation = Confirmation {
        title: &title,
        what: &what,
        back: &format!("{}#secret-path", links::domain(&row.domain)),
        path: &format!("{}/secret-path", links::domain(&row.domain)),
        button: &title,
        destroys: replaces,
    };
    Ok(confirmation.page(&visitor))
}

#[post("/set-up/domains/{domain}/secret-path")]
pub async fn replace_path(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_confirmation()?;
    let visitor = &submitted.visitor;
    let row = find_domain(&state, &domain).await?;
    let actor = &visitor.principal.actor;
    let replaced = admin::replace_callback_token(&state.work_pool, actor, &row.domain, clock::now()).await;
    let token = replaced.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    let url = SecretString::from(url_of(&request, &format!("/callbacks/huawei/{}", token.expose_secret())));
    let page = links::connect(&row.domain);
    redirect_with(&state, &request, visitor, &page, (SecretKind::CallbackUrl, &url))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn key(number: u128, created: i64, last_used: Option<i64>) -> SigningKeyRow {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("in range");
        SigningKeyRow {
            key_id: Uuid::from_u128(number),
            domain: String::new(),
            sealed_key: Vec::new(),
            created_at: at(created),
            last_used_at: last_used.map(at),
        }
    }

    #[test]
    fn a_key_is_old_once_a_newer_one_is_used() {
        use KeyState::{InUse, NotUsedYet, Old};
        let states = |keys: &[SigningKeyRow]| keys.iter().map(|key| state_of(key, keys)).collect::<Vec<_>>();
        assert_eq!(states(&[key(2, 20, None), key(1, 10, None)]), [NotUsedYet, NotUsedYet]);
        assert_eq!(states(&[key(2, 20, None), key(1, 10, Some(15))]), [NotUsedYet, InUse]);
        assert_eq!(states(&[key(2, 20, Some(30)), key(1, 10, Some(25))]), [InUse, Old]);
        assert_eq!(states(&[key(2, 20, Some(30)), key(1, 10, Some(35))]), [InUse, InUse]);
        assert_eq!(states(&[key(2, 20, Some(30)), key(1, 10, None)]), [InUse, Old]);
    }
}
