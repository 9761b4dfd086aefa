//! A domain: what does not arrive, its keys, its secret path, a test, and its settings.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};

use super::super::draft::{Draft, FieldError};
use super::super::error::PageError;
use super::super::form::{self, AdminForm};
use super::super::layout::{self, NavItem};
use super::super::problems::rejections;
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{links, words};
use super::test_callback::{self, TestResult, TestedFrom};
use super::{Confirmation, DomainQuery, callback_url, credentials, find_domain, settings};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::external_url::url_of;
use crate::http::extract::Query;
use crate::model::access::SignatureRule;
use crate::platform::clock;
use crate::query;
use crate::registry::admin;
use crate::store;
use crate::store::domain::DomainRow;

#[get("/set-up/domains/{domain}")]
pub async fn show_domain(
    visitor: AdminVisitor,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
    asked: Result<Query<DomainQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(asked) = asked?;
    let row = find_domain(&state, &domain).await?;
    let drafts =
        Drafts { tested: test_callback::result_of(&state, &row.domain, asked.tested.as_deref()), ..Drafts::of(&row) };
    domain_page(&visitor, &state, &request, &row, &drafts).await
}

/// What the forms of the page show.
pub struct Drafts {
    settings: Draft,
    key: Draft,
    tested: Option<TestResult>,
    /// What an action has found.
    news: Markup,
}

impl Drafts {
    fn of(row: &DomainRow) -> Self {
        Self { settings: settings::draft_of(row), key: Draft::default(), tested: None, news: Markup::default() }
    }

    /// With what an action has found.
    pub fn with_news(row: &DomainRow, news: Markup) -> Self {
        Self { news, ..Self::of(row) }
    }

    /// With a key that cannot be added.
    pub fn with_key(row: &DomainRow, key: Draft) -> Self {
        Self { key, ..Self::of(row) }
    }
}

pub async fn domain_page(
    visitor: &Visitor,
    state: &AppState,
    request: &HttpRequest,
    row: &DomainRow,
    drafts: &Drafts,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let keys = credentials::list_keys(state, &row.domain).await?;
    let last_push = store::silence::get_last_start(&state.query_pool, &row.domain).await?;
    let accounts = store::provider_account::list_provider_accounts(&state.work_pool).await?;
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let groups = rejections::MAX_GROUPS;
    let rejected =
        query::rejections::list_rejection_groups(pool, principal, Some(&row.domain), view.now, groups).await?;
    let signed = row.signature == SignatureRule::Required;
    let content = html! {
        h1 { bdi { (row.domain) } }
        dl.facts {
            dt { (text.setup_callback_url()) }
            dd {
                @if signed { code data-copy="" { (url_of(request, "/callbacks/huawei")) } (callback_url::warnings(view, request)) }
                @else if row.callback_token_hash.is_some() { (text.setup_url_hidden()) }
                @else { (text.setup_no_path_yet()) }
            }
            dt { (text.problems_last_push()) }
            dd { @match last_push { Some(at) => (words::ago(view, at)), None => (text.setup_no_push_yet()) } }
        }
        div.actions {
            a.button href=(links::connect(&row.domain)) { (text.setup_connect_steps()) }
            a.button href=(links::live_of(&row.domain)) { (text.setup_live_streams()) }
            a.button href=(links::diagnose()) { (text.problems_check_callback()) }
            @if row.provider_account_id.is_some() {
                a.button href=(links::provider_lists(&row.domain)) { (text.lists_button()) }
                (form::form(visitor, "inline", &format!("{}/provider-check", links::domain(&row.domain)), &html! { button { (text.providers_check()) } }))
            }
        }
        (drafts.news)
        (rejections::of_registered(visitor, &rejected))
        div.columns {
            div {
                @if signed { (credentials::key_section(visitor, row, &keys, &drafts.key)) }
                h2 #test { (text.setup_test()) }
                (test_callback::section(visitor, state, row, !keys.is_empty(), TestedFrom::Domain, drafts.tested.as_ref()))
                (credentials::path_section(visitor, row))
                h2 { (text.setup_remove_domain()) }
                p.hint { (text.setup_remove_domain_hint()) }
                p { a.button href=(format!("{}/remove", links::domain(&row.domain))) { (text.setup_remove_domain_ask()) } }
            }
            div {
                h2 #settings { (text.setup_settings()) }
                (settings::form(visitor, &row.domain, &drafts.settings, &accounts))
            }
        }
    };
    let page = layout::page(visitor, NavItem::SetUp, &row.domain, &content);
    Ok(drafts.key.answer(drafts.settings.answer(page)))
}

#[post("/set-up/domains/{domain}")]
pub async fn change_domain(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let row = find_domain(&state, &domain).await?;
    let actor = &visitor.principal.actor;
    let put = match settings::read(&submitted) {
        Ok(settings) => {
            let put = admin::put_domain(&state.work_pool, actor, &row.domain, settings, clock::now()).await;
            put.map_err(ApiError::from)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = put {
        let error = FieldError::of(error, visitor.view.language)?;
        let drafts = Drafts { settings: Draft::typed(&submitted, [error]), ..Drafts::of(&row) };
        return domain_page(visitor, &state, &request, &row, &drafts).await;
    }
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&links::domain(&row.domain)))
}

#[get("/set-up/domains/{domain}/remove")]
pub async fn show_removal(
    visitor: AdminVisitor,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let row = find_domain(&state, &domain).await?;
    let what = html! {
        p { (text.setup_remove_domain_hint()) }
        (form::confirmation(&text.setup_remove_domain_confirm()))
    };
    let confirmation = Confirmation {
        title: &text.setup_remove_domain_title(&row.domain),
        what: &what,
        back: &links::domain(&row.domain),
        path: &format!("{}/remove", links::domain(&row.domain)),
        button: &text.setup_remove_domain(),
        destroys: true,
    };
    Ok(confirmation.page(&visitor))
}

#[post("/set-up/domains/{domain}/remove")]
pub async fn remove_domain(
    submitted: AdminForm,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_confirmation()?;
    let row = find_domain(&state, &domain).await?;
    let actor = &submitted.visitor.principal.actor;
    let removed = admin::remove_domain(&state.work_pool, actor, &row.domain, clock::now()).await;
    removed.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&links::set_up()))
}
