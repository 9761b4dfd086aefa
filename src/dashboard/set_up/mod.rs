//! Setup, for administrators.
//!
//! - [`domain`]: a domain's page and its removal; [`settings`]: its settings.
//! - [`connect`]: connects a domain in three steps; [`callback_url`]: warns of URLs that no provider reaches.
//! - [`credentials`]: a domain's keys and secret path.
//! - [`secret`]: new secrets on their way to the page that shows them.
//! - [`test_callback`]: a test callback.
//! - [`diagnose`]: explains a pasted callback.
//! - [`tokens`]: creates and revokes tokens.
//! - [`webhooks`]: creates, shows and tests webhooks.
//! - [`providers`]: creates, changes and removes provider accounts; checks what is set at the provider.
//! - [`audit`]: the audit log.

mod audit;
mod callback_url;
mod connect;
mod credentials;
mod diagnose;
mod domain;
mod providers;
mod secret;
mod settings;
mod test_callback;
mod tokens;
pub mod webhooks;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};

use super::draft::{Draft, FieldError};
use super::error::PageError;
use super::form::{self, AdminForm};
use super::layout::{self, NavItem};
use super::view::View;
use super::visitor::{AdminVisitor, Visitor};
use super::{links, words};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::SignatureRule;
use crate::platform::clock;
use crate::registry::admin::{self, DomainSettings};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(show_set_up)
        .service(add_domain)
        .service(audit::show_audit_log)
        .service(diagnose::show_diagnosis)
        .service(diagnose::diagnose)
        .service(diagnose::set_separator)
        .service(connect::show_connection)
        .service(credentials::add_key)
        .service(credentials::show_key_removal)
        .service(credentials::remove_key)
        .service(credentials::show_path_replacement)
        .service(credentials::replace_path)
        .service(test_callback::send_test_callback)
        .service(domain::show_domain)
        .service(domain::change_domain)
        .service(domain::show_removal)
        .service(domain::remove_domain)
        .service(tokens::create_token)
        .service(tokens::show_token)
        .service(tokens::show_revocation)
        .service(tokens::revoke_token)
        .service(providers::check_provider)
        .service(providers::show_providers)
        .service(providers::create_provider)
        .service(providers::show_provider)
        .service(providers::change_provider)
        .service(providers::show_removal)
        .service(providers::remove)
        .service(webhooks::show_webhooks)
        .service(webhooks::create_webhook)
        .service(webhooks::show_webhook)
        .service(webhooks::test)
        .service(webhooks::replay)
        .service(webhooks::enable)
        .service(webhooks::disable)
        .service(webhooks::show_secret_replacement)
        .service(webhooks::replace_secret)
        .service(webhooks::show_removal)
        .service(webhooks::remove);
}

pub struct SetUpQuery {
    /// The name in the form of a new domain.
    domain: Option<String>,
}

impl FromQuery for SetUpQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        Self { domain: query.string("domain") }
    }
}

pub struct DomainQuery {
    /// The sealed result of a test callback.
    tested: Option<String>,
}

impl FromQuery for DomainQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        Self { tested: query.string("tested") }
    }
}

#[get("/set-up")]
pub async fn show_set_up(
    visitor: AdminVisitor,
    state: Data<AppState>,
    asked: Result<Query<SetUpQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(asked) = asked?;
    let domain = Draft::of_values(asked.domain.map(|domain| ("domain", domain)).into_iter().collect());
    set_up_page(&visitor, &state, &domain, &tokens::empty_draft()).await
}

/// The page with the forms of a new domain and of a new token.
async fn set_up_page(
    visitor: &Visitor,
    state: &AppState,
    domain: &Draft,
    token: &Draft,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let mut snapshot = store::snapshot::begin(&state.work_pool).await?;
    let domains = store::domain::list_domains(&mut *snapshot).await?;
    let keys = store::signing_key::list_signing_keys(&mut *snapshot).await?;
    let tokens = store::access_token::list_access_tokens(&mut *snapshot).await?;
    snapshot.commit().await?;
    let content = html! {
        h1 { (text.setup()) }
        div.actions {
            a.button href=(links::diagnose()) { (text.problems_check_callback()) }
            a.button href=(links::webhooks()) { (text.webhooks()) }
            a.button href=(links::providers()) { (text.providers()) }
            a.button href=(links::page("set-up/audit")) { (text.setup_audit()) }
        }
        h2 #domains { (text.setup_domains()) }
        div.columns {
            div {
                @if domains.is_empty() { div.card { p { (text.setup_no_domain()) } p.hint { (text.setup_no_domain_hint()) } } }
                @else { (domain_table(view, &domains, &keys)) }
            }
            (form::form(visitor, "card", &links::page("set-up/domains"), &html! {
                label { (text.setup_new_domain())
                    input type="text" name="domain" value=(domain.value("domain")) required maxlength="255" aria-invalid=[domain.invalid("domain")] aria-describedby=[domain.described_by("domain")]
                        autocapitalize="off" autocomplete="off" spellcheck="false" placeholder="push.example.com";
                }
                (domain.error("domain"))
                p.hint { (text.setup_new_domain_hint()) }
                button.primary { (text.setup_add_domain()) }
            }))
        }
        (tokens::section(visitor, &tokens, &domains, token))
    };
    let page = layout::page(visitor, NavItem::SetUp, &text.setup(), &content);
    Ok(token.answer(domain.answer(page)))
}

fn domain_table(view: View, domains: &[DomainRow], keys: &[SigningKeyRow]) -> Markup {
    let text = view.language;
    html! {
        div.scroll { table {
            thead { tr { th { (text.domain()) } th { (text.setup_authentication()) } th { (text.setup_apps()) } th { (text.setup_changed()) } } }
            tbody { @for row in domains { tr {
                td.name { a href=(links::domain(&row.domain)) { bdi { (row.domain) } } }
                td {
                    @let active = keys.iter().filter(|key| key.domain == row.domain).count();
                    @match (row.signature, active) {
                        (SignatureRule::None, _) if row.callback_token_hash.is_some() => (text.setup_unsigned()),
                        (SignatureRule::None, _) => span.flag { (text.setup_no_path_yet()) },
                        (SignatureRule::Required, 0) => span.flag { (text.setup_no_key_yet()) },
                        (SignatureRule::Required, 1) => (text.setup_one_key()),
                        (SignatureRule::Required, active) => (text.setup_count_of_keys(active)),
                    }
                }
                td data-label=(text.setup_apps()) { (row.apps.as_ref().map_or_else(|| text.setup_all(), |apps| apps.join(", "))) }
                td data-label=(text.setup_changed()) { (words::ago(view, row.updated_at)) }
            } } }
        } }
    }
}

/// Registers a domain with a key, and leads to the page that connects it.
#[post("/set-up/domains")]
pub async fn add_domain(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let domain = submitted.text("domain").unwrap_or_default();
    if !domain.contains('\0') && store::domain::get_domain(&state.work_pool, &domain).await?.is_some() {
        return Ok(layout::redirect_to(&links::domain(&domain)));
    }
    let settings = DomainSettings::default();
    let actor = &visitor.principal.actor;
    let put = admin::put_domain(&state.work_pool, actor, &domain, settings, clock::now()).await;
    if let Err(error) = put {
        let error = FieldError::of(error.into(), visitor.view.language)?;
        return set_up_page(visitor, &state, &Draft::typed(&submitted, [error]), &tokens::empty_draft()).await;
    }
    credentials::generate_key(&state, &request, visitor, &domain).await
}

async fn find_domain(state: &AppState, domain: &str) -> Result<DomainRow, PageError> {
    let missing = || ApiError::NotFound("domain");
    if domain.contains('\0') {
        return Err(missing().into());
    }
    Ok(store::domain::get_domain(&state.work_pool, domain).await?.ok_or_else(missing)?)
}

/// A form that asks for confirmation.
struct Confirmation<'a> {
    title: &'a str,
    what: &'a Markup,
    back: &'a str,
    path: &'a str,
    button: &'a str,
    /// Whether it destroys something.
    destroys: bool,
}

impl Confirmation<'_> {
    fn page(&self, visitor: &Visitor) -> HttpResponse {
        let content = html! {
            h1 { (self.title) }
            (form::form(visitor, "card", self.path, &html! {
                (self.what)
                div.actions {
                    button.danger[self.destroys].primary[!self.destroys] { (self.button) }
                    a.button href=(self.back) { (visitor.view.language.cancel()) }
                }
            }))
        };
        layout::page(visitor, NavItem::SetUp, self.title, &content)
    }
}
