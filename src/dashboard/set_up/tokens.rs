//! Creates and revokes tokens.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};

use super::super::draft::{Draft, FieldError};
use super::super::error::PageError;
use super::super::form::{self, AdminForm, SubmittedForm};
use super::super::layout::{self, NavItem};
use super::super::texts::Language;
use super::super::typed_time::read_date;
use super::super::view::View;
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{links, words};
use super::secret::{self, SecretKind, redirect_with};
use super::{Confirmation, set_up_page};
use crate::access::admin::{self, NewToken};
use crate::api::KIOSK;
use crate::api::problem::{ApiError, parse_id};
use crate::app::state::AppState;
use crate::http::external_url::url_of;
use crate::model::access::Scope;
use crate::platform::clock;
use crate::report::period::Period;
use crate::store;
use crate::store::access_token::AccessTokenRow;
use crate::store::domain::DomainRow;

/// Lifetimes to choose from, in days.
const LIFETIMES: [i64; 3] = [30, 90, 365];

fn meaning(text: Language, scope: Scope) -> String {
    match scope {
        Scope::Read => text.setup_scope_read(),
        Scope::Personal => text.setup_scope_personal(),
        Scope::Billing => text.setup_scope_billing(),
        Scope::Admin => text.setup_scope_admin(),
    }
}

/// The form of a new token before anything is typed.
pub fn empty_draft() -> Draft {
    Draft::of_values(vec![("scopes", Scope::Read.as_str().to_owned()), ("expires", "365".to_owned())])
}

pub fn section(visitor: &Visitor, tokens: &[AccessTokenRow], domains: &[DomainRow], draft: &Draft) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        h2 #tokens { (text.setup_tokens()) }
        @if tokens.is_empty() { p.hint { (text.setup_no_token()) } } @else { (table(view, tokens, domains)) }
        details #new-token open[draft.is_rejected()] {
            summary { (text.setup_create_token()) }
            (form::form(visitor, "card", &links::page("set-up/tokens"), &fields(view, domains, draft)))
        }
    }
}

fn table(view: View, tokens: &[AccessTokenRow], domains: &[DomainRow]) -> Markup {
    let text = view.language;
    html! {
        div.scroll { table {
            thead { tr {
                th { (text.setup_token_name()) } th { (text.setup_scopes()) } th { (text.setup_domains()) }
                th { (text.setup_last_used()) } th { (text.setup_expires()) } th.number { (text.action()) }
            } }
            tbody { @for row in tokens { tr {
                td.name { a href=(links::token(row.token_id)) { bdi { (row.name) } } }
                td { (words::list(&row.scopes)) }
                td data-label=(text.setup_domains()) { (domains_of(text, row, domains)) }
                td data-label=(text.setup_last_used()) { (words::maybe_ago(view, row.last_used_at)) }
                td data-label=(text.setup_expires()) { (expiry(view, row.expires_at)) }
                td.number { a.button.small href=(format!("{}/revoke", links::token(row.token_id))) { (text.setup_revoke()) } }
            } } }
        } }
    }
}

fn domains_of(text: Language, row: &AccessTokenRow, domains: &[DomainRow]) -> Markup {
    html! {
        @match &row.domains {
            None => (text.setup_all()),
            Some(names) => @for (number, name) in names.iter().enumerate() {
                @if number > 0 { ", " }
                bdi { (name) }
                @if !is_registered(name, domains) { " " span.flag { (text.setup_not_registered()) } }
            },
        }
    }
}

fn is_registered(name: &str, domains: &[DomainRow]) -> bool {
    domains.iter().any(|row| row.domain == name)
}

fn expiry(view: View, expires_at: Option<DateTime<Utc>>) -> Markup {
    html! {
        @match expires_at {
            None => (view.language.setup_never()),
            Some(at) => {
                (words::time(view, at))
                @if at <= view.now { " " span.flag { (view.language.setup_expired()) } }
            }
        }
    }
}

fn fields(view: View, domains: &[DomainRow], draft: &Draft) -> Markup {
    let text = view.language;
    html! {
        label { (text.setup_token_name())
            input type="text" name="name" required maxlength="200" value=(draft.value("name")) aria-invalid=[draft.invalid("name")] aria-describedby=[draft.described_by("name")]
                placeholder=(text.setup_token_name_example());
        }
        (draft.error("name"))
        fieldset {
            legend { (text.setup_scopes()) }
            @for &scope in Scope::ALL {
                label.tick {
                    input type="checkbox" name="scopes" value=(scope.as_str()) checked[draft.has("scopes", scope.as_str())];
                    span { strong { (scope.as_str()) } " " (meaning(text, scope)) }
                }
            }
        }
        (draft.error("scopes"))
        fieldset.choices {
            legend { (text.setup_limit_to_domains()) }
            p.hint { (text.setup_limit_to_domains_hint()) }
            @for row in domains {
                label.tick {
                    input type="checkbox" name="domains" value=(row.domain) checked[draft.has("domains", &row.domain)];
                    bdi { (row.domain) }
                }
            }
        }
        (draft.error("domains"))
        label { (text.setup_other_domains())
            input type="text" name="other_domains" value=(draft.value("other_domains")) aria-invalid=[draft.invalid("other_domains")] aria-describedby=[draft.described_by("other_domains")]
                autocapitalize="off" spellcheck="false";
        }
        (draft.error("other_domains"))
        @if draft.invalid("other_domains").is_some() {
            label.tick { input type="checkbox" name="accept_unregistered" value="yes"; (text.setup_accept_unregistered()) }
        }
        label { (text.setup_expires())
            select name="expires" {
                @for days in LIFETIMES { (expiry_choice(draft, &days.to_string(), &lifetime(text, days))) }
                (expiry_choice(draft, "on", &text.setup_expires_on_choice()))
                (expiry_choice(draft, "never", &text.setup_never()))
            }
        }
        label { (text.setup_expires_on(view.zone.name()))
            input type="date" name="expires_on" value=(draft.value("expires_on")) aria-invalid=[draft.invalid("expires_at")] aria-describedby=[draft.described_by("expires_at")];
        }
        (draft.error("expires_at"))
        button.primary { (text.setup_create_token()) }
    }
}

fn expiry_choice(draft: &Draft, value: &str, name: &str) -> Markup {
    html! { option value=(value) selected[draft.value("expires") == value] { (name) } }
}

fn lifetime(text: Language, days: i64) -> String {
    if days == 365 { text.setup_one_year() } else { text.setup_days(days) }
}

#[post("/set-up/tokens")]
pub async fn create_token(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    match try_create(&submitted, &state).await? {
        Ok((row, token)) => {
            state.registry.refresh_after_change().await;
            let page = links::token(row.token_id);
            redirect_with(&state, &request, visitor, &page, (SecretKind::Token, &token))
        }
        Err(error) => set_up_page(visitor, &state, &Draft::default(), &Draft::typed(&submitted, [error])).await,
    }
}

/// Creates the token; the inner error is that of a field.
async fn try_create(
    submitted: &SubmittedForm,
    state: &AppState,
) -> Result<Result<(AccessTokenRow, SecretString), FieldError>, PageError> {
    let view = submitted.visitor.view;
    let text = view.language;
    let registered = store::domain::list_domains(&state.work_pool).await?;
    let other = submitted.words("other_domains");
    let unknown: Vec<&str> =
        other.iter().map(String::as_str).filter(|name| !is_registered(name, &registered)).collect();
    if !unknown.is_empty() && !submitted.is_checked("accept_unregistered") {
        return Ok(Err(FieldError::new("other_domains", text.setup_unregistered(&unknown.join(", ")))));
    }
    let Ok(expires_at) = read_expiry(submitted, view) else {
        return Ok(Err(FieldError::new("expires_at", text.setup_expiry_invalid())));
    };
    let scopes = submitted.all("scopes").iter().map(|scope| scope.parse::<Scope>()).collect::<Result<Vec<_>, _>>();
    let domains = [submitted.all("domains"), other].concat();
    let new = NewToken {
        name: submitted.text("name").unwrap_or_default(),
        scopes: scopes.unwrap_or_default(),
        domains: (!domains.is_empty()).then_some(domains),
        expires_at,
    };
    let actor = &submitted.visitor.principal.actor;
    match admin::create_token(&state.work_pool, actor, new, clock::now()).await {
        Ok(created) => Ok(Ok(created)),
        Err(error) => FieldError::of(error.into(), text).map(Err),
    }
}

/// When the token expires; `None`: never.
fn read_expiry(submitted: &SubmittedForm, view: View) -> Result<Option<DateTime<Utc>>, ()> {
    match submitted.text("expires").as_deref() {
        None | Some("never") => Ok(None),
        Some("on") => {
            let day = submitted.text("expires_on").and_then(|typed| read_date(&typed)).ok_or(())?;
            Period::of_days(day, day, view.zone).map(|day| Some(day.to)).ok_or(())
        }
        Some(days) => {
            let days = days.parse().ok().filter(|days| LIFETIMES.contains(days)).ok_or(())?;
            Ok(Some(view.now + TimeDelta::days(days)))
        }
    }
}

/// A token; shows its secret if it was created a short time ago.
#[get("/set-up/tokens/{token_id}")]
pub async fn show_token(
    visitor: AdminVisitor,
    state: Data<AppState>,
    request: HttpRequest,
    token_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let row = find_token(&state, &token_id).await?;
    let domains = store::domain::list_domains(&state.work_pool).await?;
    let token = secret::find(&state, &request, &visitor).filter(|(kind, _)| *kind == SecretKind::Token);
    let content = html! {
        h1 { (text.token()) " " bdi { (row.name) } }
        @if let Some((_, token)) = &token { (new_token(text, &request, &row, token)) }
        dl.facts {
            dt { (text.setup_scopes()) } dd { (words::list(&row.scopes)) }
            dt { (text.setup_domains()) } dd { (domains_of(text, &row, &domains)) }
            dt { (text.setup_expires()) } dd { (expiry(view, row.expires_at)) }
            dt { (text.setup_created()) } dd { (words::time(view, row.created_at)) }
            dt { (text.setup_last_used()) } dd { (words::maybe_ago(view, row.last_used_at)) }
        }
        div.actions {
            a.button href=(links::tokens()) { (text.setup_done()) }
            a.button href=(format!("{}/revoke", links::token(row.token_id))) { (text.setup_revoke()) }
        }
    };
    Ok(layout::page(&visitor, NavItem::SetUp, &text.token(), &content))
}

fn new_token(text: Language, request: &HttpRequest, row: &AccessTokenRow, token: &SecretString) -> Markup {
    let token = token.expose_secret();
    let sign_in = format!("{}#token={token}", url_of(request, &links::sign_in()));
    let kiosk = links::with(&url_of(request, &links::sign_in()), &[("to", Some(KIOSK))]);
    html! {
        div.card.success {
            p { (text.setup_token_once()) }
            dl.facts {
                dt { (text.token()) } dd { code.secret data-copy="" { (token) } }
                dt { (text.setup_sign_in_link()) } dd { code.secret data-copy="" { (sign_in) } }
                @if row.scopes == [Scope::Read] {
                    dt { (text.setup_kiosk_link()) } dd { code.secret data-copy="" { (kiosk) "#token=" (token) } }
                }
            }
            p.hint { (words::fill(&text.setup_token_hint(), &[html! { code { "Authorization: Bearer TOKEN" } }])) }
        }
    }
}

async fn find_token(state: &AppState, token_id: &str) -> Result<AccessTokenRow, PageError> {
    let token_id = parse_id(token_id, "token")?;
    let tokens = store::access_token::list_access_tokens(&state.work_pool).await?;
    let token = tokens.into_iter().find(|token| token.token_id == token_id);
    Ok(token.ok_or(ApiError::NotFound("token"))?)
}

#[get("/set-up/tokens/{token_id}/revoke")]
pub async fn show_revocation(
    visitor: AdminVisitor,
    state: Data<AppState>,
    token_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let token = find_token(&state, &token_id).await?;
    let what = html! {
        p { bdi { strong { (token.name) } } ", " (words::list(&token.scopes)) }
        @if let Some(at) = token.last_used_at { p { (words::fill(&text.setup_token_last_used(), &[words::ago(view, at)])) } }
        (form::confirmation(&text.setup_revoke_confirm()))
    };
    let confirmation = Confirmation {
        title: &text.setup_revoke_title(),
        what: &what,
        back: &links::tokens(),
        path: &format!("{}/revoke", links::token(token.token_id)),
        button: &text.setup_revoke_token(),
        destroys: true,
    };
    Ok(confirmation.page(&visitor))
}

#[post("/set-up/tokens/{token_id}/revoke")]
pub async fn revoke_token(
    submitted: AdminForm,
    state: Data<AppState>,
    token_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_confirmation()?;
    let token_id = parse_id(&token_id, "token")?;
    if !admin::revoke_token(&state.work_pool, &submitted.visitor.principal.actor, token_id, clock::now()).await? {
        return Err(ApiError::NotFound("token").into());
    }
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&links::tokens()))
}
