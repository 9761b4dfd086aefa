//! Creates, changes and removes provider accounts, and checks what is set at the provider.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};

use super::super::draft::{Draft, FieldError};
use super::super::error::PageError;
use super::super::form::{self, AdminForm, SubmittedForm};
use super::super::layout::{self, NavItem};
use super::super::texts::Language;
use super::super::view::View;
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{links, words};
use super::domain::{Drafts, domain_page};
use super::{Confirmation, find_domain};
use crate::api::problem::{ApiError, parse_id};
use crate::app::state::AppState;
use crate::http::external_url;
use crate::model::polling::{CallbackKeyState, CallbackUrlState, ListState};
use crate::platform::clock;
use crate::polling::admin::{AccessKeys, AccountAdmin, AccountError, AccountSettings};
use crate::polling::check::{ProviderCheck, check_domain};
use crate::polling::client::access_key_ending;
use crate::store;
use crate::store::provider_account::ProviderAccountRow;

#[get("/set-up/providers")]
pub async fn show_providers(visitor: AdminVisitor, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    providers_page(&visitor, &state, &Draft::default()).await
}

async fn providers_page(visitor: &Visitor, state: &AppState, draft: &Draft) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let rows = store::provider_account::list_provider_accounts(&state.work_pool).await?;
    let create = html! {
        h2 { (text.providers_new()) }
        (fields(text, draft, true))
        button.primary { (text.providers_create()) }
    };
    let content = html! {
        h1 { (text.providers()) }
        p.hint { (text.providers_hint()) }
        p.hint { (text.providers_permissions_hint()) }
        div.columns {
            div { @if rows.is_empty() { div.card { p { (text.providers_none()) } } } @else { (table(visitor.view, &rows)) } }
            (form::form(visitor, "card", &links::providers(), &create))
        }
    };
    let page = layout::page(visitor, NavItem::SetUp, &text.providers(), &content);
    Ok(draft.answer(page))
}

fn table(view: View, rows: &[ProviderAccountRow]) -> Markup {
    let text = view.language;
    html! {
        div.scroll { table {
            thead { tr {
                th { (text.setup_token_name()) } th { (text.providers_endpoint()) }
                th { (text.providers_access_key_ending()) } th { (text.setup_changed()) }
            } }
            tbody { @for row in rows { tr {
                td.name { a href=(links::provider(row.account_id)) { bdi { (row.name) } } }
                td data-label=(text.providers_endpoint()) { bdi { (row.endpoint) } }
                td data-label=(text.providers_access_key_ending()) { code { (access_key_ending(&row.access_key)) } }
                td data-label=(text.setup_changed()) { (words::ago(view, row.updated_at)) }
            } } }
        } }
    }
}

/// The fields of a new account, or of one that exists and may keep its keys.
fn fields(text: Language, draft: &Draft, is_new: bool) -> Markup {
    let typed = |field: &str, label: String, example: Option<&str>, limit: u16| {
        html! {
            label { (label)
                input type="text" name=(field) required maxlength=(limit) value=(draft.value(field)) aria-invalid=[draft.invalid(field)] aria-describedby=[draft.described_by(field)]
                    autocapitalize="off" autocomplete="off" spellcheck="false" placeholder=[example];
            }
            (draft.error(field))
        }
    };
    let key = |field: &str, label: String, kind: &str| {
        html! {
            label { (label)
                input type=(kind) name=(field) required[is_new] maxlength="128" value=(draft.value(field)) aria-invalid=[draft.invalid(field)] aria-describedby=[draft.described_by(field)]
                    autocapitalize="off" autocomplete="off" spellcheck="false";
            }
            (draft.error(field))
        }
    };
    html! {
        (typed("name", text.setup_token_name(), None, 200))
        (typed("endpoint", text.providers_endpoint(), Some("https://live.cn-north-4.myhuaweicloud.com"), 255))
        (typed("project_id", text.providers_project(), None, 64))
        (key("access_key", text.providers_access_key(), "text"))
        (key("secret_key", text.providers_secret_key(), "password"))
        @if is_new { p.hint { (text.setup_enter_key_hint()) } } @else { p.hint { (text.providers_keys_hint()) } }
    }
}

#[post("/set-up/providers")]
pub async fn create_provider(submitted: AdminForm, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let created = match read(&submitted) {
        Ok(settings) => admin(&state).create(&visitor.principal.actor, settings, clock::now()).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(_) => Ok(layout::redirect_to(&links::providers())),
        Err(error) => {
            let error = field_error(error, visitor.view.language)?;
            providers_page(visitor, &state, &Draft::typed(&submitted, [error])).await
        }
    }
}

fn field_error(error: AccountError, text: Language) -> Result<FieldError, PageError> {
    match error {
        AccountError::KeysForEndpoint => Ok(FieldError::new("access_key", text.providers_keys_for_endpoint())),
        error => FieldError::of(error.into(), text),
    }
}

fn read(submitted: &SubmittedForm) -> Result<AccountSettings, AccountError> {
    let secret_key = submitted.text("secret_key").map(Into::into);
    let keys = AccessKeys::from_both(submitted.text("access_key"), secret_key)?;
    Ok(AccountSettings {
        name: submitted.text("name").unwrap_or_default(),
        endpoint: submitted.text("endpoint").unwrap_or_default(),
        project_id: submitted.text("project_id").unwrap_or_default(),
        keys,
    })
}

#[get("/set-up/providers/{account_id}")]
pub async fn show_provider(
    visitor: AdminVisitor,
    state: Data<AppState>,
    account_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let row = find(&state, &account_id).await?;
    let draft = Draft::of_values(vec![
        ("name", row.name.clone()),
        ("endpoint", row.endpoint.clone()),
        ("project_id", row.project_id.clone()),
    ]);
    provider_page(&visitor, &state, &row, &draft).await
}

async fn provider_page(
    visitor: &Visitor,
    state: &AppState,
    row: &ProviderAccountRow,
    draft: &Draft,
) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let domains = store::provider_account::list_account_domains(&state.work_pool).await?;
    let domains: Vec<_> = domains.iter().filter(|domain| domain.account_id == row.account_id).collect();
    let path = links::provider(row.account_id);
    let change = html! { (fields(text, draft, false)) button.primary { (text.save()) } };
    let content = html! {
        h1 { (text.provider()) " " bdi { (row.name) } }
        dl.facts {
            dt { (text.providers_access_key_ending()) } dd { code { (access_key_ending(&row.access_key)) } }
            dt { (text.setup_domains()) }
            dd {
                @if domains.is_empty() { (text.providers_none_chosen()) }
                @for domain in &domains { a href=(links::domain(&domain.domain)) { bdi { (domain.domain) } } " " }
            }
        }
        (form::form(visitor, "card", &path, &change))
        @if domains.is_empty() { p { a.button href=(format!("{path}/remove")) { (text.providers_remove()) } } }
        @else { p.hint { (text.providers_used()) } }
    };
    let page = layout::page(visitor, NavItem::SetUp, &row.name, &content);
    Ok(draft.answer(page))
}

#[post("/set-up/providers/{account_id}")]
pub async fn change_provider(
    submitted: AdminForm,
    state: Data<AppState>,
    account_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let row = find(&state, &account_id).await?;
    let changed = match read(&submitted) {
        Ok(settings) => {
            let actor = &visitor.principal.actor;
            admin(&state).change(actor, row.account_id, settings, clock::now()).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = changed {
        let error = field_error(error, visitor.view.language)?;
        return provider_page(visitor, &state, &row, &Draft::typed(&submitted, [error])).await;
    }
    Ok(layout::redirect_to(&links::provider(row.account_id)))
}

#[get("/set-up/providers/{account_id}/remove")]
pub async fn show_removal(
    visitor: AdminVisitor,
    state: Data<AppState>,
    account_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let row = find(&state, &account_id).await?;
    let path = links::provider(row.account_id);
    let what = html! {
        p { bdi { strong { (row.name) } } }
        (form::confirmation(&text.providers_remove_confirm()))
    };
    let confirmation = Confirmation {
        title: &text.providers_remove(),
        what: &what,
        back: &path,
        path: &format!("{path}/remove"),
        button: &text.providers_remove(),
        destroys: true,
    };
    Ok(confirmation.page(&visitor))
}

#[post("/set-up/providers/{account_id}/remove")]
pub async fn remove(
    submitted: AdminForm,
    state: Data<AppState>,
    account_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_confirmation()?;
    let account_id = parse_id(&account_id, "provider account")?;
    let actor = &submitted.visitor.principal.actor;
    admin(&state).remove(actor, account_id, clock::now()).await.map_err(ApiError::from)?;
    Ok(layout::redirect_to(&links::providers()))
}

/// Asks the provider, and shows what was found on the page of the domain.
#[post("/set-up/domains/{domain}/provider-check")]
pub async fn check_provider(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let row = find_domain(&state, &domain).await?;
    let (pool, keys) = (&state.work_pool, state.registry.master_keys());
    let host = external_url::host(&request);
    let found = check_domain(pool, keys, &state.provider, &row.domain, host, clock::now()).await;
    let news = result(visitor.view.language, &found.map_err(ApiError::from)?);
    domain_page(visitor, &state, &request, &row, &Drafts::with_news(&row, news)).await
}

fn result(text: Language, check: &ProviderCheck) -> Markup {
    let url = match check.url_state {
        CallbackUrlState::Ours => text.providers_check_url_ours(),
        CallbackUrlState::OtherHost => text.providers_check_url_other_host(),
        CallbackUrlState::Other => text.providers_check_url_other(),
        CallbackUrlState::None => text.providers_check_url_none(),
        CallbackUrlState::Unknown => text.providers_check_unknown(),
    };
    let key = match check.key_state {
        CallbackKeyState::Matches => text.providers_check_key_matches(),
        CallbackKeyState::Differs => text.providers_check_key_differs(),
        CallbackKeyState::None => text.providers_check_key_none(),
        CallbackKeyState::Unknown => text.providers_check_unknown(),
    };
    let state = |state| match state {
        ListState::Readable => text.providers_check_lists_readable(),
        ListState::Refused => text.providers_check_lists_refused(),
        ListState::Unknown => text.providers_check_unknown(),
    };
    let is_good = matches!(check.url_state, CallbackUrlState::Ours | CallbackUrlState::OtherHost)
        && check.key_state == CallbackKeyState::Matches
        && [check.list_state, check.history_state].iter().all(|state| *state == ListState::Readable);
    let mut errors: Vec<_> =
        [&check.settings_error, &check.list_error, &check.history_error].into_iter().flatten().collect();
    // Of a key that is not accepted, all are the same.
    errors.dedup();
    html! {
        div.card.success[is_good].failure[!is_good] { dl.facts {
            dt { (text.providers_check_url()) }
            dd { (url) @if let Some(url) = &check.url { " " code { bdi { (url) } } } }
            dt { (text.providers_check_key()) } dd { (key) }
            dt { (text.providers_check_lists()) } dd { (state(check.list_state)) }
            dt { (text.providers_check_history()) } dd { (state(check.history_state)) }
            @if let Some(difference) = check.clock_difference {
                dt { (text.providers_check_clock()) } dd { (text.providers_check_seconds(difference.num_seconds())) }
            }
            @for error in errors {
                dt { (text.providers_check_error()) } dd { bdi { (error) } }
            }
        } }
    }
}

async fn find(state: &AppState, account_id: &str) -> Result<ProviderAccountRow, PageError> {
    let account_id = parse_id(account_id, "provider account")?;
    let row = store::provider_account::get_provider_account(&state.work_pool, account_id).await?;
    Ok(row.ok_or(ApiError::NotFound("provider account"))?)
}

fn admin(state: &AppState) -> AccountAdmin<'_> {
    AccountAdmin { pool: &state.work_pool, master_keys: state.registry.master_keys(), client: &state.provider }
}
