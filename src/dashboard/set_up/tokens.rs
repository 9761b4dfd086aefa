//! Creates and revokes tokens.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::super::error::PageError;
use super::super::form::{self, SubmittedForm};
use super::super::layout;
use super::super::visitor::Visitor;
use super::super::{ROOT, words};
use super::{ask_confirmation, show_once};
use crate::access::admin::{self, NewToken};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::model::access::Scope;
use crate::platform::clock;
use crate::store;
use crate::store::access_token::AccessTokenRow;

fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => {
            "live counts, streams, sessions, broadcasts, events and rejections, without IP addresses and user_args"
        }
        Scope::Personal => "IP addresses and user_args, too",
        Scope::Billing => "reports",
        Scope::Admin => "all of this, and administration",
    }
}

pub fn section(visitor: &Visitor, tokens: &[AccessTokenRow]) -> Markup {
    let view = visitor.view;
    html! {
        h2 #tokens { "Tokens" }
        @if tokens.is_empty() {
            p.hint { "None except the administrator's token, from the environment or the data folder." }
        } @else {
            table {
                thead { tr { th { "Name" } th { "Scopes" } th { "Domains" } th { "Last used" } th { "Expires" } th { "Action" } } }
                tbody { @for row in tokens { tr {
                    td.name { bdi { (row.name) } }
                    td { (words::list(&row.scopes)) }
                    td { (row.domains.as_ref().map_or_else(|| "all domains".to_owned(), |domains| domains.join(", "))) }
                    td data-label="last used" { (words::maybe_time(view, row.last_used_at)) }
                    td data-label="expires" { @match row.expires_at { Some(at) => (words::time(view, at)), None => "never" } }
                    td { a href=(revocation_of(row)) { "Revoke" } }
                } } }
            }
        }
        details {
            summary { "Create a token" }
            (form::form(visitor, "card", &format!("{ROOT}/set-up/tokens"), &html! {
                label { "Name" input type="text" name="name" required maxlength="200"; }
                fieldset {
                    legend { "Scopes" }
                    @for &scope in Scope::ALL {
                        label.tick {
                            input type="checkbox" name="scopes" value=(scope.as_str()) checked[scope == Scope::Read];
                            " " (scope.as_str()) ": " (meaning(scope))
                        }
                    }
                }
                label { "Domains (empty: all)" input type="text" name="domains" autocapitalize="off" spellcheck="false"; }
                label { "Expires at the start of this day, UTC (empty: never)" input type="date" name="expires_on"; }
                button { "Create token" }
            }))
        }
    }
}

fn revocation_of(row: &AccessTokenRow) -> String {
    format!("{ROOT}/set-up/tokens/{}/revoke", row.token_id)
}

#[post("/set-up/tokens")]
pub async fn create_token(submitted: SubmittedForm, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let scopes = submitted.all("scopes").iter().map(|scope| scope.parse::<Scope>()).collect::<Result<Vec<_>, _>>();
    let domains = submitted.words("domains");
    let new = NewToken {
        name: submitted.text("name").unwrap_or_default(),
        scopes: scopes
            .map_err(|_| ApiError::invalid("scopes", "must be one or more of read, personal, billing, admin"))?,
        domains: (!domains.is_empty()).then_some(domains),
        expires_at: submitted.text("expires_on").map(|day| read_day(&day)).transpose()?,
    };
    let created = admin::create_token(&state.work_pool, &submitted.visitor.principal.actor, new, clock::now()).await;
    let (_, token) = created.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    let next = html! {
        p { "Sign in with it here, or send it to the API as " code { "Authorization: Bearer TOKEN" } "." }
        p { a.button href=(format!("{ROOT}/set-up#tokens")) { "Done" } }
    };
    Ok(show_once(&submitted.visitor, "New token", "The token", &token, &next))
}

fn read_day(day: &str) -> Result<DateTime<Utc>, ApiError> {
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok();
    let begin = day.map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    begin.ok_or_else(|| ApiError::invalid("expires_on", "is not a date such as 2026-12-31"))
}

#[get("/set-up/tokens/{token_id}/revoke")]
pub async fn show_revocation(
    visitor: Visitor,
    state: Data<AppState>,
    token_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    visitor.require_scope(Scope::Admin)?;
    let tokens = store::access_token::list_access_tokens(&state.work_pool).await?;
    let token = tokens.iter().find(|token| token.token_id.to_string() == *token_id);
    let token = token.ok_or(ApiError::NotFound("token"))?;
    let what = html! {
        p { "The token " bdi { strong { (token.name) } } " (" (words::list(&token.scopes)) "), last used " (words::maybe_time(view, token.last_used_at)) }
        (form::confirmation("This token stops working immediately."))
    };
    let back = format!("{ROOT}/set-up#tokens");
    Ok(ask_confirmation(&visitor, "Revoke a token?", &what, &back, &revocation_of(token), "Revoke token"))
}

#[post("/set-up/tokens/{token_id}/revoke")]
pub async fn revoke_token(
    submitted: SubmittedForm,
    state: Data<AppState>,
    token_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    submitted.require_confirmation()?;
    let missing = || ApiError::NotFound("token");
    let token_id = Uuid::try_parse(&token_id).map_err(|_| missing())?;
    if !admin::revoke_token(&state.work_pool, &submitted.visitor.principal.actor, token_id, clock::now()).await? {
        return Err(missing().into());
    }
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&format!("{ROOT}/set-up#tokens")))
}
