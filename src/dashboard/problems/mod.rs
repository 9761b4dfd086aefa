//! Problems and their repair, the worst first.
//!
//! - [`badge`]: their number, for the navigation.
//! - [`service`]: the parts of the service.
//! - [`rejections`]: rejected callbacks; [`retry`]: those that are kept and would be admitted now.
//! - [`quarantine`]: quarantined callbacks.
//! - [`release`]: releases those of one domain and reason.
//! - [`lists`]: the provider's lists.
//! - [`quiet`]: domains without callbacks; [`webhooks`]: webhooks whose receivers fail.

pub mod badge;
mod lists;
mod quarantine;
mod quiet;
pub mod rejections;
pub mod release;
pub mod retry;
mod service;
mod webhooks;

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::TimeDelta;
use maud::{Markup, html};

use super::error::PageError;
use super::layout::{self, NavItem};
use super::texts::Language;
use super::visitor::Visitor;
use super::{links, words};
use crate::api::problem::ApiError;
use crate::api::query_reader::NoParameters;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::health;
use crate::model::access::Scope;
use crate::model::filter::SessionFilter;
use crate::model::session::SessionOrder;
use crate::platform::tls::{Expiry, ValidityOfServed};
use crate::query;
use crate::query::Rows;
use crate::store;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;

/// Maximum number of unconfirmed sessions.
const MAX_SESSIONS: u16 = 50;

#[get("/problems")]
pub async fn show_problems(
    visitor: Visitor,
    state: Data<AppState>,
    _: Result<Query<NoParameters>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let parts = health::inspect(&state).await;
    let certificate = state.certificate.as_ref().and_then(ValidityOfServed::get);
    let lag = store::fold::get_lag(&state.work_pool).await?;
    let groups = rejections::MAX_GROUPS;
    let rejected = query::rejections::list_rejection_groups(pool, principal, None, view.now, groups).await?;
    let retries = if principal.may(Scope::Admin) { retry::preview(&state).await? } else { Arc::default() };
    let quarantined = query::events::list_quarantine_groups(pool, principal).await?;
    let filter = SessionFilter { unconfirmed: Some(true), ..SessionFilter::default() };
    let oldest = SessionPage { order: SessionOrder::OldestFirst, after: None, limit: MAX_SESSIONS };
    let unconfirmed = visitor.list_sessions(&state, &filter, oldest).await?;
    let silent = query::inactivity::list_silent_domains(pool, |domain| principal.sees(domain), view.now).await?;
    let never_heard = query::inactivity::list_never_heard(pool, principal).await?;
    let failing_webhooks = webhooks::list_failing(&visitor, &state).await?;
    let list_problems = query::provider_lists::find_problems(pool, principal, view.now).await?;
    let is_fine = parts.iter().all(|part| part.ready)
        && certificate.is_none_or(|certificate| certificate.expiry(view.now) == Expiry::Far)
        && rejected.rows.is_empty()
        && retries.is_idle()
        && quarantined.is_empty()
        && unconfirmed.rows.is_empty()
        && failing_webhooks.is_empty()
        && list_problems.is_empty()
        && silent.is_empty()
        && never_heard.is_empty();
    let content = html! {
        h1 { (text.problems()) }
        (service::failing_parts(view, &parts, certificate))
        @if is_fine { div.card.success { p { (text.problems_none()) } } }
        (rejections::of_registered(&visitor, &rejected))
        (retry::cards(&visitor, &retries))
        (quarantine::cards(&visitor, &quarantined))
        (webhooks::cards(&visitor, &failing_webhooks))
        (lists::cards(&visitor, &list_problems))
        (unconfirmed_sessions(&visitor, &unconfirmed, state.unconfirmed_after))
        (lists::differences(&visitor, &list_problems))
        (quiet::silent(view, &silent))
        (quiet::never_heard_from(&visitor, &never_heard))
        (rejections::of_strangers(&visitor, &rejected))
        (service::all_parts(view, &parts, certificate, lag))
        @if principal.may(Scope::Admin) {
            div.actions { a.button href=(links::diagnose()) { (text.problems_check_callback()) } }
        }
    };
    Ok(layout::page(&visitor, NavItem::Problems, &text.problems(), &content))
}

fn unconfirmed_sessions(visitor: &Visitor, sessions: &Rows<SessionRow>, unconfirmed_after: TimeDelta) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let admin = visitor.principal.may(Scope::Admin);
    let limit = words::duration(text, unconfirmed_after.num_seconds());
    html! {
        @if !sessions.rows.is_empty() {
            h2 #unconfirmed { (text.unconfirmed_sessions()) }
            section.card.warning {
                p.hint {
                    (text.problems_unconfirmed_hint(&limit))
                    @if sessions.more { " " (text.problems_unconfirmed_more(MAX_SESSIONS)) }
                }
                div.scroll { table {
                    thead { tr {
                        th { (text.stream()) } th { (text.domain()) } th { (text.app()) }
                        th { (text.started()) } th.number { (text.duration()) } @if admin { th.number { (text.action()) } }
                    } }
                    tbody { @for row in &sessions.rows { tr {
                        td.name { a href=(links::session(row.session_id)) { bdi { (row.stream) } } }
                        td { bdi { (row.domain) } }
                        td { bdi { (row.app) } }
                        td data-label=(text.started()) { (words::time(view, row.started_at)) }
                        td.number data-label=(text.duration()) { (words::clock(view, row.started_at)) }
                        @if admin { td.number {
                            a.button.small href=(links::session_confirmation(row.session_id)) { (text.still_live()) } " "
                            a.button.small href=(links::session_end(row.session_id)) { (text.set_end()) }
                        } }
                    } } }
                } }
            }
        }
    }
}

/// The first two sentences of an advice; the others on demand.
pub fn long_text(text: Language, advice: &str) -> Markup {
    let sentences: Vec<&str> = advice.split_inclusive(text.full_stop()).collect();
    let (first, rest) = sentences.split_at(sentences.len().min(2));
    html! {
        (first.concat())
        @if !rest.is_empty() { details { summary { (text.problems_more()) } (rest.concat()) } }
    }
}
