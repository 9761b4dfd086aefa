//! Problems and their fixes: the health of the service, silent domains, domains that never sent a callback, rejected and
//! quarantined callbacks, unconfirmed sessions.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::error::PageError;
use super::layout::{self, NavItem};
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, set_up, words};
use crate::access::Principal;
use crate::api::problem::ApiError;
use crate::api::query_reader::NoParameters;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::health::{self, HealthCheck};
use crate::huawei::advice;
use crate::model::access::Scope;
use crate::model::filter::{EventFilter, SessionFilter};
use crate::model::session::SessionOrder;
use crate::platform::clock;
use crate::platform::tls::{Expiry, Validity, ValidityOfServed};
use crate::query;
use crate::query::Rows;
use crate::query::inactivity::{BASELINE, FEWEST_STARTS, Silence};
use crate::rejection::Sample;
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::event::EventRow;
use crate::store::fold::LagRow;
use crate::store::rejection::RejectionRow;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;

/// Maximum rows of each table.
const MAX_ROWS: u16 = 50;

/// How far back rejections are shown.
const REJECTION_PERIOD: TimeDelta = TimeDelta::hours(24);

#[get("/problems")]
pub async fn show_problems(
    visitor: Visitor,
    state: Data<AppState>,
    _: Result<Query<NoParameters>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let now = clock::now();
    let parts = health::inspect(&state).await;
    let lag = store::fold::get_lag(&state.work_pool).await?;
    let silent = query::inactivity::list_silent_domains(pool, principal, now).await?;
    let never_heard = query::inactivity::list_never_heard(pool, principal).await?;
    let rejected = query::rejections::sum_rejections(pool, principal, now - REJECTION_PERIOD, MAX_ROWS).await?;
    let quarantined =
        query::events::list_events(pool, principal, true, &EventFilter::default(), None, MAX_ROWS).await?;
    let filter = SessionFilter { unconfirmed: Some(true), ..SessionFilter::default() };
    let oldest = SessionPage { order: SessionOrder::OldestFirst, after: None, limit: MAX_ROWS };
    let unconfirmed =
        query::sessions::list_sessions(pool, principal, state.unconfirmed_after, &filter, oldest, false).await?;
    let content = html! {
        h1 { "Problems" }
        (service(view, &parts, state.certificate.as_ref().and_then(ValidityOfServed::get), lag, now))
        (silence(view, &silent, now))
        (never_heard_from(&visitor, &never_heard))
        (rejections(view, &rejected))
        (quarantine(&visitor, &quarantined))
        (unconfirmed_sessions(view, &unconfirmed.page, unconfirmed.as_of, state.unconfirmed_after))
    };
    Ok(layout::page(&visitor, NavItem::Problems, "Problems", &content))
}

/// The number of problems that a visitor may see, for the navigation; 0 if they cannot be read now.
pub async fn count(state: &AppState, principal: &Principal) -> u32 {
    let pool = &state.query_pool;
    let since = clock::now() - REJECTION_PERIOD;
    let rejected = query::rejections::sum_rejections(pool, principal, since, MAX_ROWS).await;
    let quarantined = query::events::list_events(pool, principal, true, &EventFilter::default(), None, MAX_ROWS).await;
    let count = rejected.map_or(0, |rows| rows.rows.len()) + quarantined.map_or(0, |rows| rows.rows.len());
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn service(
    view: View,
    parts: &[HealthCheck],
    certificate: Option<Validity>,
    lag: LagRow,
    now: DateTime<Utc>,
) -> Markup {
    html! {
        h2 { "This service" }
        dl.facts {
            @for part in parts {
                dt { (part.name) }
                dd { @if part.ready { (part.state) } @else { span.wrong { (part.state) } } }
            }
            @if let Some(certificate) = certificate {
                dt { "Certificate" }
                dd {
                    @match certificate.expiry(now) {
                        Expiry::Far => { "valid until " (words::time(view, certificate.ends_at)) }
                        Expiry::Near => span.wrong { "expires soon, at " (words::time(view, certificate.ends_at)) ": renew it" }
                        Expiry::Past => span.wrong { "expired at " (words::time(view, certificate.ends_at)) ": callbacks no longer arrive" }
                    }
                }
            }
            dt { "Lag" }
            dd {
                @match lag.oldest_recorded_at {
                    Some(oldest) => { (lag.entries) " events not folded yet; the oldest has waited " (words::lasted(view, (now - oldest).num_seconds().max(0))) }
                    None => "none",
                }
            }
        }
    }
}

fn silence(view: View, silent: &[Silence], now: DateTime<Utc>) -> Markup {
    html! {
        h2 { "Silent domains" }
        @if silent.is_empty() {
            p.hint { "No unusual silence." }
        } @else {
            p.hint {
                "These domains have been without a new push for longer than at any time in the previous " (BASELINE.num_days()) " days. \
                 Domains with fewer than " (FEWEST_STARTS) " pushes in that time are not listed. If encoders are pushing, check \
                 the callback URL at the provider and the rejected callbacks below."
            }
            table {
                thead { tr { th { "Domain" } th { "Last push started" } th.number { "Silent for" } th.number { "Longest gap in " (BASELINE.num_days()) " days" } } }
                tbody { @for row in silent { tr {
                    td.name { a href=(words::path(ROOT, &[("domain", Some(&row.domain))])) { (row.domain) } }
                    td { (words::time(view, row.last_started_at)) }
                    td.number data-label="silent for" { (words::clock(view, row.last_started_at)) }
                    td.number data-label=(format!("longest gap in {} days", BASELINE.num_days())) { (words::lasted(view, row.habit_seconds)) }
                } } }
            }
        }
    }
}

fn never_heard_from(visitor: &Visitor, domains: &[DomainRow]) -> Markup {
    let view = visitor.view;
    html! {
        h2 { "No accepted callback yet" }
        @if domains.is_empty() {
            p.hint { "None: every registered domain that you may see has had at least one callback accepted or quarantined." }
        } @else {
            p.hint {
                "No callback of these domains was ever accepted or quarantined. Check the callback URL and the key at the \
                 provider. Rejected callbacks are listed below."
            }
            table {
                thead { tr { th { "Domain" } th { "Registered" } } }
                tbody { @for row in domains { tr {
                    td.name {
                        @if visitor.principal.may(Scope::Admin) { a href=(set_up::page_of(&row.domain)) { (row.domain) } } @else { (row.domain) }
                    }
                    td data-label="registered" { (words::time(view, row.created_at)) }
                } } }
            }
        }
    }
}

fn rejections(view: View, rejected: &Rows<RejectionRow>) -> Markup {
    html! {
        h2 { "Rejected in the last 24 hours" }
        @if rejected.rows.is_empty() {
            p.hint { "None that you may see." }
        } @else {
            @if rejected.more { p.hint { "The latest " (MAX_ROWS) "; the API lists all." } }
            table {
                thead { tr { th { "Claimed domain" } th { "Cause and fix" } th.number { "Callbacks" } th { "First" } th { "Last" } } }
                tbody { @for row in &rejected.rows { tr {
                    td.name { @if row.claimed_domain.is_empty() { "–" } @else { bdi { (row.claimed_domain) } } }
                    td {
                        strong { (words::readable(row.cause.as_str())) }
                        p.advice { (advice::of_rejection(row.cause)) }
                        (sample(view, row))
                    }
                    td.number data-label="callbacks" { (row.count) }
                    td data-label="first" { (words::time(view, row.first_at)) }
                    td data-label="last" { (words::time(view, row.last_at)) }
                } } }
            }
        }
    }
}

/// An example of the rejected callbacks. Its content is not authenticated.
fn sample(view: View, row: &RejectionRow) -> Markup {
    let Ok(sample) = serde_json::from_value::<Sample>(row.sample.clone()) else { return html! {} };
    let names = [sample.event, sample.app, sample.stream];
    html! {
        details {
            summary { "Example" }
            p.hint {
                "Received " (words::time(view, sample.received_at)) ". "
                @if let Some(problem) = &sample.problem { (problem) ". " }
                @for (name, label) in names.iter().zip(["Event ", "app ", "stream "]) {
                    @if let Some(name) = name { (label) bdi { code { (name) } } "; " }
                }
                @if let Some(signature) = sample.signature { "signature " (words::readable(signature.as_str())) "." }
            }
        }
    }
}

fn quarantine(visitor: &Visitor, quarantined: &Rows<EventRow>) -> Markup {
    let view = visitor.view;
    let admin = visitor.principal.may(Scope::Admin);
    html! {
        h2 { "Quarantined" }
        @if quarantined.rows.is_empty() {
            p.hint { "None. An authenticated callback is quarantined if it is suspicious, for instance too late or replayed." }
        } @else {
            @if quarantined.more { p.hint { "The newest " (MAX_ROWS) "; the API lists all." } }
            table {
                thead { tr { th { "Received" } th { "Callback" } th { "Reason" } @if admin { th { "Action" } } } }
                tbody { @for row in &quarantined.rows { tr {
                    td { (words::time(view, row.received_at)) }
                    td {
                        code { (row.event) } " of "
                        a href=(format!("{ROOT}/sessions/{}", row.session_id)) { bdi { (row.stream) } }
                        p.advice { (row.domain) " / " (row.app) }
                    }
                    td {
                        @if let Some(reason) = row.reason {
                            strong { (words::readable(reason.as_str())) }
                            p.advice { (advice::of_reason(reason)) }
                        }
                    }
                    @if admin { td { a.button href=(format!("{ROOT}/events/{}/release", row.event_id)) { "Release" } } }
                } } }
            }
        }
    }
}

fn unconfirmed_sessions(
    view: View,
    sessions: &Rows<SessionRow>,
    as_of: DateTime<Utc>,
    unconfirmed_after: TimeDelta,
) -> Markup {
    html! {
        h2 { "Unconfirmed sessions" }
        @if sessions.rows.is_empty() {
            p.hint { "None: no session has been live for longer than " (words::lasted(view, unconfirmed_after.num_seconds())) "." }
        } @else {
            p.hint {
                "Live for longer than " (words::lasted(view, unconfirmed_after.num_seconds())) ": the end callback may be lost. If \
                 so, an administrator sets the end time on the session's page."
                @if sessions.more { " The oldest " (MAX_ROWS) "; the API lists all." }
            }
            table {
                thead { tr { th { "Stream" } th { "Domain" } th { "App" } th { "Started" } th.number { "Duration" } } }
                tbody { @for row in &sessions.rows { tr.stale {
                    td.name { a href=(format!("{ROOT}/sessions/{}", row.session_id)) { bdi { (row.stream) } } }
                    td { (row.domain) }
                    td { (row.app) }
                    td data-label="started" { (words::time(view, row.started_at)) }
                    td.number data-label="duration" { (words::clock(view, row.started_at)) }
                } } }
            }
        }
    }
}
