//! Setup, for administrators.
//!
//! - [`domain`]: a domain's page and settings.
//! - [`credentials`]: its keys and secret path, each shown only once.
//! - [`test_callback`]: a test callback.
//! - [`tokens`]: creates and revokes tokens.

mod credentials;
mod domain;
mod test_callback;
mod tokens;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};

use super::error::PageError;
use super::form::{self, SubmittedForm};
use super::layout::{self, NavItem};
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::model::access::{FieldSeparator, Scope, SignatureRule};
use crate::platform::clock;
use crate::registry::admin::{self, DomainSettings};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(show_set_up)
        .service(add_domain)
        .service(domain::show_domain)
        .service(domain::change_domain)
        .service(domain::show_removal)
        .service(domain::remove_domain)
        .service(credentials::add_key)
        .service(credentials::show_key_removal)
        .service(credentials::remove_key)
        .service(credentials::show_path_replacement)
        .service(credentials::replace_path)
        .service(test_callback::send_test_callback)
        .service(tokens::create_token)
        .service(tokens::show_revocation)
        .service(tokens::revoke_token);
}

#[get("/set-up")]
pub async fn show_set_up(visitor: Visitor, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    visitor.require_scope(Scope::Admin)?;
    let mut snapshot = store::snapshot::begin(&state.work_pool).await?;
    let domains = store::domain::list_domains(&mut *snapshot).await?;
    let keys = store::signing_key::list_signing_keys(&mut *snapshot).await?;
    let tokens = store::access_token::list_access_tokens(&mut *snapshot).await?;
    snapshot.commit().await?;
    let content = html! {
        h1 { "Setup" }
        h2 { "Ingest domains" }
        @if domains.is_empty() {
            div.card { p { "None yet: no callbacks are accepted." } p.hint { "Add the ingest domain as the provider writes it. Then add a key and set the callback URL at the provider." } }
        } @else { (domain_table(view, &domains, &keys)) }
        (form::form(&visitor, "filters", &format!("{ROOT}/set-up/domains"), &html! {
            label { "Ingest domain" input type="text" name="domain" required maxlength="255" autocapitalize="off" spellcheck="false" placeholder="push.example.com"; }
            button { "Add domain" }
        }))
        (tokens::section(&visitor, &tokens))
    };
    Ok(layout::page(&visitor, NavItem::SetUp, "Setup", &content))
}

fn domain_table(view: View, domains: &[DomainRow], keys: &[SigningKeyRow]) -> Markup {
    html! {
        table {
            thead { tr { th { "Domain" } th { "Authentication" } th { "Apps" } th { "Changed" } } }
            tbody { @for row in domains { tr {
                td.name { a href=(page_of(&row.domain)) { (row.domain) } }
                td {
                    @let active = keys.iter().filter(|key| key.domain == row.domain).count();
                    @match (row.signature, active) {
                        (SignatureRule::None, _) if row.callback_token_hash.is_some() => { "secret path, unsigned" }
                        (SignatureRule::None, _) => { span.flag { "no secret path yet" } }
                        (SignatureRule::Required, 0) => { span.flag { "no key yet" } }
                        (SignatureRule::Required, 1) => { "1 key" }
                        (SignatureRule::Required, active) => { (active) " keys" }
                    }
                }
                td { (row.apps.as_ref().map_or_else(|| "all".to_owned(), |apps| apps.join(", "))) }
                td data-label="changed" { (words::time(view, row.updated_at)) }
            } } }
        }
    }
}

#[post("/set-up/domains")]
pub async fn add_domain(submitted: SubmittedForm, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let domain = submitted.text("domain").ok_or_else(|| ApiError::invalid("domain", "is empty"))?;
    if store::domain::get_domain(&state.work_pool, &domain).await?.is_none() {
        let settings = DomainSettings {
            signature: SignatureRule::Required,
            apps: None,
            joiner: FieldSeparator::default(),
            rendition_templates: Vec::new(),
            concurrent_pushes: false,
        };
        let actor = &submitted.visitor.principal.actor;
        let put = admin::put_domain(&state.work_pool, actor, &domain, settings, clock::now()).await;
        put.map_err(ApiError::from)?;
        state.registry.refresh_after_change().await;
    }
    Ok(layout::redirect_to(&page_of(&domain)))
}

pub(super) fn page_of(domain: &str) -> String {
    let name = percent_encoding::utf8_percent_encode(domain, percent_encoding::NON_ALPHANUMERIC);
    format!("{ROOT}/set-up/domains/{name}")
}

async fn find_domain(state: &AppState, domain: &str) -> Result<DomainRow, PageError> {
    let missing = || ApiError::NotFound("domain");
    if domain.contains('\0') {
        return Err(missing().into());
    }
    Ok(store::domain::get_domain(&state.work_pool, domain).await?.ok_or_else(missing)?)
}

/// A page that shows a secret. No other page shows it.
fn show_once(visitor: &Visitor, title: &str, what: &str, secret: &SecretString, next: &Markup) -> HttpResponse {
    let content = html! {
        h1 { (title) }
        div.card {
            p { (what) ", shown only once:" }
            p { code.secret data-copy="" { (secret.expose_secret()) } }
            (next)
        }
    };
    let mut page = layout::page(visitor, NavItem::SetUp, title, &content);
    page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

/// A page that asks for confirmation.
fn ask_confirmation(
    visitor: &Visitor,
    title: &str,
    what: &Markup,
    back: &str,
    path: &str,
    button: &str,
) -> HttpResponse {
    let content = html! {
        h1 { (title) }
        (form::form(visitor, "card", path, &html! {
            (what)
            button.danger { (button) }
        }))
        p { a href=(back) { "Back" } }
    };
    layout::page(visitor, NavItem::SetUp, title, &content)
}
