//! Tokens: who may look, and at what.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::super::error::PageError;
use super::super::form::{self, Posted};
use super::super::frame;
use super::super::visitor::Visitor;
use super::super::{ROOT, words};
use super::{once, question};
use crate::access::admin::{self, NewToken};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::model::access::Scope;
use crate::platform::clock;
use crate::store;
use crate::store::access_token::AccessTokenRow;

/// What each scope is for.
fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "sessions, streams, what is live, problems",
        Scope::Personal => "addresses and arguments as well",
        Scope::Billing => "reports",
        Scope::Admin => "everything, this page included",
    }
}

/// The tokens on the page.
pub fn section(visitor: &Visitor, tokens: &[AccessTokenRow]) -> Markup {
    html! {
        h2 #tokens { "Tokens that may look" }
        @if tokens.is_empty() {
            p.hint { "None but the administrator's own, which is in the settings of the service." }
        } @else {
            table {
                thead { tr { th { "Name" } th { "May" } th { "Sees" } th { "Last used" } th { "Expires" } th { "Do" } } }
                tbody { @for row in tokens { tr {
                    td.name { bdi { (row.name) } }
                    td { (words::list(&row.scopes)) }
                    td { (row.domains.as_ref().map_or_else(|| "all domains".to_owned(), |domains| domains.join(", "))) }
                    td data-label="last used" { (words::maybe_time(row.last_used_at)) }
                    td data-label="expires" { @match row.expires_at { Some(at) => (words::time(at)), None => "never" } }
                    td { a href=(revocation_of(row)) { "Revoke" } }
                } } }
            }
        }
        details {
            summary { "Make a token" }
            (form::form(visitor, "card", &format!("{ROOT}/set-up/tokens"), &html! {
                label { "What it is for" input type="text" name="name" required maxlength="200"; }
                fieldset {
                    legend { "May see" }
                    @for &scope in Scope::ALL {
                        label.tick {
                            input type="checkbox" name="scopes" value=(scope.as_str()) checked[scope == Scope::Read];
                            " " (scope.as_str()) ": " (meaning(scope))
                        }
                    }
                }
                label { "Domains that exist for it (all, if empty)" input type="text" name="domains" autocapitalize="off" spellcheck="false"; }
                label { "Expires at the begin of this day, UTC (never, if empty)" input type="date" name="expires_on"; }
                button { "Make token" }
            }))
        }
    }
}

fn revocation_of(row: &AccessTokenRow) -> String {
    format!("{ROOT}/set-up/tokens/{}/revoke", row.token_id)
}

#[post("/set-up/tokens")]
pub async fn create_token(posted: Posted, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    posted.demand(Scope::Admin)?;
    let scopes = posted.all("scopes").iter().map(|scope| scope.parse::<Scope>()).collect::<Result<Vec<_>, _>>();
    let domains = posted.words("domains");
    let new = NewToken {
        name: posted.text("name").unwrap_or_default(),
        scopes: scopes.map_err(|_| ApiError::invalid("scopes", "must be of read, personal, billing, admin"))?,
        domains: (!domains.is_empty()).then_some(domains),
        expires_at: posted.text("expires_on").map(|day| read_day(&day)).transpose()?,
    };
    let created = admin::create_token(&state.work_pool, &posted.visitor.principal.actor, new, clock::now()).await;
    let (_, token) = created.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    let next = html! {
        p { "It signs in here, and to the API as " code { "Authorization: Bearer TOKEN" } "." }
        p { a.button href=(format!("{ROOT}/set-up#tokens")) { "Done" } }
    };
    Ok(once(&posted.visitor, "A new token", "The token", &token, &next))
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
    visitor.demand(Scope::Admin)?;
    let tokens = store::access_token::list_access_tokens(&state.work_pool).await?;
    let token = tokens.iter().find(|token| token.token_id.to_string() == *token_id);
    let token = token.ok_or(ApiError::NotFound("token"))?;
    let what = html! {
        p { "The token " bdi { strong { (token.name) } } " (" (words::list(&token.scopes)) "), last used " (words::maybe_time(token.last_used_at)) }
        (form::confirmation("Whoever uses it is to be out at once."))
    };
    let back = format!("{ROOT}/set-up#tokens");
    Ok(question(&visitor, "Revoke a token?", &what, &back, &revocation_of(token), "Revoke token"))
}

#[post("/set-up/tokens/{token_id}/revoke")]
pub async fn revoke_token(
    posted: Posted,
    state: Data<AppState>,
    token_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    posted.demand(Scope::Admin)?;
    posted.demand_confirmation()?;
    let missing = || ApiError::NotFound("token");
    let token_id = Uuid::try_parse(&token_id).map_err(|_| missing())?;
    if !admin::revoke_token(&state.work_pool, &posted.visitor.principal.actor, token_id, clock::now()).await? {
        return Err(missing().into());
    }
    state.registry.refresh_after_change().await;
    Ok(frame::led_to(&format!("{ROOT}/set-up#tokens")))
}
