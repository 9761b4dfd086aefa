//! A domain: what to set at the provider, its keys, and its settings.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::super::error::PageError;
use super::super::form::{self, SubmittedForm};
use super::super::layout::{self, NavItem};
use super::super::visitor::Visitor;
use super::super::{ROOT, words};
use super::{ask_confirmation, credentials, find_domain, page_of, test_callback};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::domains::{read_field_separator, read_signature_rule};
use crate::http::external_url::url_of;
use crate::model::access::{Scope, SignatureRule};
use crate::model::filter::SessionFilter;
use crate::model::session::SessionOrder;
use crate::platform::clock;
use crate::registry::admin::{self, DomainSettings};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::session_list::{SessionPage, SessionScope};

#[get("/set-up/domains/{domain}")]
pub async fn show_domain(
    visitor: Visitor,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    visitor.require_scope(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let keys = credentials::list_keys(&state, &row.domain).await?;
    let last_push = last_push(&state, &row.domain).await?;
    let signed = row.signature == SignatureRule::Required;
    let content = html! {
        h1 { (row.domain) }
        dl.facts {
            dt { "Callback URL to set at the provider" }
            dd {
                @if signed { code data-copy="" { (url_of(&request, "/callbacks/huawei")) } }
                @else if row.callback_token_hash.is_some() { "the one with the secret path, shown when it was created" }
                @else { "none yet: create a secret path" }
                @if signed { p.hint { "This URL contains the address at which you reach this service now. The provider must be able to reach this address, too." } }
            }
            dt { "Last push started" } dd { (words::maybe_time(view, last_push)) @if last_push.is_none() { " No push yet." } }
            dt { "More" } dd {
                a href=(words::path(ROOT, &[("domain", Some(&row.domain))])) { "live streams" } " · "
                a href=(format!("{ROOT}/problems")) { "problems" }
            }
        }
        @if signed { (credentials::key_section(&visitor, &row, &keys)) }
        (credentials::path_section(&row))
        (test_callback::section(&visitor, &state, &row, keys.len()))
        h2 { "Settings" }
        (settings_form(&visitor, &row))
        p { a href=(format!("{}/remove", page_of(&row.domain))) { "Remove this domain" } }
    };
    Ok(layout::page(&visitor, NavItem::SetUp, &row.domain, &content))
}

async fn last_push(state: &AppState, domain: &str) -> Result<Option<DateTime<Utc>>, PageError> {
    let filter = SessionFilter { domain: Some(domain.to_owned()), ..SessionFilter::default() };
    let unconfirmed_after = state.unconfirmed_after;
    let scope = SessionScope { visible_domains: None, as_of: clock::now(), unconfirmed_after };
    let page = SessionPage { order: SessionOrder::NewestFirst, after: None, limit: 1 };
    let newest = store::session_list::list_sessions(&state.query_pool, scope, &filter, page).await?;
    Ok(newest.first().map(|session| session.started_at))
}

fn settings_form(visitor: &Visitor, row: &DomainRow) -> Markup {
    let choice = |value: &str, chosen: &str, label: &str| {
        html! { option value=(value) selected[value == chosen] { (label) } }
    };
    let fields = html! {
        label { "Callbacks are"
            select name="signature" {
                (choice("required", row.signature.as_str(), "signed"))
                (choice("none", row.signature.as_str(), "unsigned, only through the secret path"))
            }
        }
        label { "Accepted apps (empty: all)"
            input type="text" name="apps" value=(row.apps.as_ref().map(|apps| apps.join(", ")).unwrap_or_default());
        }
        label { "Separator (joiner) of signed fields"
            select name="joiner" { (choice("", row.joiner.as_str(), "none")) (choice("+", row.joiner.as_str(), "+")) }
        }
        label { "Transcoding templates: a stream whose name is STREAM, an underscore and TEMPLATE is a rendition of STREAM"
            input type="text" name="rendition_templates" value=(row.rendition_templates.join(", "));
        }
        label.tick {
            input type="checkbox" name="concurrent_pushes" value="yes" checked[row.concurrent_pushes];
            " Several encoders push one stream at the same time: a later push does not end an earlier one"
        }
        button { "Save" }
    };
    form::form(visitor, "card", &page_of(&row.domain), &fields)
}

#[post("/set-up/domains/{domain}")]
pub async fn change_domain(
    submitted: SubmittedForm,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let apps = submitted.words("apps");
    let signature = submitted.text("signature").unwrap_or_default();
    let joiner = submitted.text("joiner").unwrap_or_default();
    let settings = DomainSettings {
        signature: read_signature_rule(&signature)?,
        apps: (!apps.is_empty()).then_some(apps),
        joiner: read_field_separator(&joiner)?,
        rendition_templates: submitted.words("rendition_templates"),
        concurrent_pushes: submitted.is_checked("concurrent_pushes"),
    };
    let actor = &submitted.visitor.principal.actor;
    let put = admin::put_domain(&state.work_pool, actor, &row.domain, settings, clock::now()).await;
    put.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&page_of(&row.domain)))
}

#[get("/set-up/domains/{domain}/remove")]
pub async fn show_removal(
    visitor: Visitor,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    visitor.require_scope(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let what = html! {
        p { "Its callbacks are no longer accepted and its keys are deleted. Its history stays." }
        (form::confirmation("Reject the callbacks of this domain."))
    };
    let back = page_of(&row.domain);
    let path = format!("{}/remove", page_of(&row.domain));
    Ok(ask_confirmation(&visitor, &format!("Remove {}?", row.domain), &what, &back, &path, "Remove domain"))
}

#[post("/set-up/domains/{domain}/remove")]
pub async fn remove_domain(
    submitted: SubmittedForm,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    submitted.require_confirmation()?;
    let row = find_domain(&state, &domain).await?;
    let actor = &submitted.visitor.principal.actor;
    let removed = admin::remove_domain(&state.work_pool, actor, &row.domain, clock::now()).await;
    removed.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&format!("{ROOT}/set-up")))
}
