//! What is wrong, and what to do about it: refused messages, quarantined ones, sessions that may have lost their end, how
//! the service does, and domains that have fallen silent or were never heard from.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::error::PageError;
use super::frame::{self, Place};
use super::visitor::Visitor;
use super::{ROOT, set_up, words};
use crate::api::problem::ApiError;
use crate::api::query_reader::NoParameters;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::health::{self, HealthCheck};
use crate::huawei::advice;
use crate::model::access::Scope;
use crate::model::filter::{EventFilter, SessionFilter};
use crate::platform::clock;
use crate::platform::tls::{Expiry, Validity, ValidityOfServed};
use crate::query;
use crate::query::Rows;
use crate::query::inactivity::BASELINE;
use crate::query::inactivity::Silence;
use crate::rejection::Sample;
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::event::EventRow;
use crate::store::fold::LagRow;
use crate::store::rejection::RejectionRow;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;

/// The most of each kind that are shown.
const MOST: u16 = 50;

/// How far back refused messages are shown.
const REFUSED: TimeDelta = TimeDelta::hours(24);

#[get("/problems")]
pub async fn show_problems(
    visitor: Visitor,
    state: Data<AppState>,
    _: Result<Query<NoParameters>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let (pool, principal) = (&state.query_pool, &visitor.principal);
    let now = clock::now();
    let parts = health::inspect(&state).await;
    let lag = store::fold::get_lag(&state.work_pool).await?;
    let silent = query::inactivity::list_silent_domains(pool, principal, now).await?;
    let never_heard = query::inactivity::list_never_heard(pool, principal).await?;
    let refused = query::rejections::sum_rejections(pool, principal, now - REFUSED, MOST).await?;
    let waiting = query::events::list_events(pool, principal, true, &EventFilter::default(), None, MOST).await?;
    let filter = SessionFilter { unconfirmed: Some(true), ..SessionFilter::default() };
    let oldest = SessionPage { newest_first: false, after: None, limit: MOST };
    let unconfirmed =
        query::sessions::list_sessions(pool, principal, state.unconfirmed_after, &filter, oldest, false).await?;
    let content = html! {
        h1 { "Problems" }
        (service(&parts, state.certificate.as_ref().and_then(ValidityOfServed::get), lag, now))
        (silence(&silent, now))
        (never_heard_from(&visitor, &never_heard))
        (refusals(&refused))
        (quarantine(&visitor, &waiting))
        (unconfirmed_sessions(&unconfirmed.page, unconfirmed.as_of, state.unconfirmed_after))
    };
    Ok(frame::page(&visitor, Place::Problems, "Problems", &content))
}

fn service(parts: &[HealthCheck], certificate: Option<Validity>, lag: LagRow, now: DateTime<Utc>) -> Markup {
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
                        Expiry::Far => { "valid until " (words::time(certificate.ends_at)) }
                        Expiry::Near => span.wrong { "expires soon, at " (words::time(certificate.ends_at)) ": renew it" }
                        Expiry::Past => span.wrong { "expired at " (words::time(certificate.ends_at)) ": callbacks no longer arrive" }
                    }
                }
            }
            dt { "Waiting to be folded" }
            dd {
                @match lag.oldest_recorded_at {
                    Some(oldest) => { (lag.entries) " entries, for " (words::in_words((now - oldest).num_seconds().max(0))) }
                    None => "nothing",
                }
            }
        }
    }
}

fn silence(silent: &[Silence], now: DateTime<Utc>) -> Markup {
    html! {
        h2 { "Fallen silent" }
        @if silent.is_empty() {
            p.hint { "No domain is silent for longer than is its habit." }
        } @else {
            p.hint {
                "No push has begun there for longer than ever in the " (BASELINE.num_days()) " days before. Does anybody push? Then look \
                 at the notification URL at the provider, and at what is refused."
            }
            table {
                thead { tr { th { "Domain" } th { "Last push began" } th.number { "Silent for" } th.number { "At most before" } } }
                tbody { @for row in silent { tr {
                    td.name { a href=(words::path(ROOT, &[("domain", Some(&row.domain))])) { (row.domain) } }
                    td { (words::time(row.last_started_at)) }
                    td.number data-label="silent for" { (words::duration((now - row.last_started_at).num_seconds(), Some(row.last_started_at))) }
                    td.number data-label="at most before" { (words::in_words(row.habit_seconds)) }
                } } }
            }
        }
    }
}

fn never_heard_from(visitor: &Visitor, domains: &[DomainRow]) -> Markup {
    html! {
        h2 { "Never heard from" }
        @if domains.is_empty() {
            p.hint { "None: something has arrived from every registered domain." }
        } @else {
            p.hint {
                "Registered, but none of their messages was ever accepted or quarantined. Check at the provider that the \
                 callback URL is the one of the domain and that the key is one of the domain's keys. What was rejected is \
                 listed below."
            }
            table {
                thead { tr { th { "Domain" } th { "Registered" } } }
                tbody { @for row in domains { tr {
                    td.name {
                        @if visitor.principal.may(Scope::Admin) { a href=(set_up::page_of(&row.domain)) { (row.domain) } } @else { (row.domain) }
                    }
                    td data-label="registered" { (words::time(row.created_at)) }
                } } }
            }
        }
    }
}

fn refusals(refused: &Rows<RejectionRow>) -> Markup {
    html! {
        h2 { "Refused in the last 24 hours" }
        @if refused.rows.is_empty() {
            p.hint { "None: whatever came to a callback address was the provider's." }
        } @else {
            @if refused.more { p.hint { "The latest " (MOST) "; the API has the others." } }
            table {
                thead { tr { th { "Claims to be of" } th { "Cause, and what to do" } th.number { "Messages" } th { "First" } th { "Last" } } }
                tbody { @for row in &refused.rows { tr {
                    td.name { @if row.claimed_domain.is_empty() { "–" } @else { bdi { (row.claimed_domain) } } }
                    td {
                        strong { (words::readable(row.cause.as_str())) }
                        p.advice { (advice::of_rejection(row.cause)) }
                        (sample(row))
                    }
                    td.number data-label="messages" { (row.count) }
                    td data-label="first" { (words::time(row.first_at)) }
                    td data-label="last" { (words::time(row.last_at)) }
                } } }
            }
        }
    }
}

/// One of the messages. Nothing of it was shown to be true.
fn sample(row: &RejectionRow) -> Markup {
    let Ok(sample) = serde_json::from_value::<Sample>(row.sample.clone()) else { return html! {} };
    let names = [sample.event, sample.app, sample.stream];
    html! {
        details {
            summary { "One of them" }
            p.hint {
                "Received " (words::time(sample.received_at)) ". "
                @if let Some(problem) = &sample.problem { (problem) ". " }
                @for (name, label) in names.iter().zip(["Event ", "application ", "stream "]) {
                    @if let Some(name) = name { (label) bdi { code { (name) } } "; " }
                }
                @if let Some(signature) = sample.signature { "signature " (words::readable(signature.as_str())) "." }
            }
        }
    }
}

fn quarantine(visitor: &Visitor, waiting: &Rows<EventRow>) -> Markup {
    let admin = visitor.principal.may(Scope::Admin);
    html! {
        h2 { "In quarantine" }
        @if waiting.rows.is_empty() {
            p.hint { "None. A message is set aside when it is genuine, but may have been aimed at another push." }
        } @else {
            @if waiting.more { p.hint { "The newest " (MOST) "; the API has the others." } }
            table {
                thead { tr { th { "Received" } th { "Message" } th { "Why it does not count" } @if admin { th { "Do" } } } }
                tbody { @for row in &waiting.rows { tr {
                    td { (words::time(row.received_at)) }
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
                    @if admin { td { a.button href=(format!("{ROOT}/events/{}/release", row.event_id)) { "Let it count" } } }
                } } }
            }
        }
    }
}

fn unconfirmed_sessions(sessions: &Rows<SessionRow>, as_of: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Markup {
    html! {
        h2 { "Unconfirmed sessions" }
        @if sessions.rows.is_empty() {
            p.hint { "None: nothing is live for longer than " (words::in_words(unconfirmed_after.num_seconds())) "." }
        } @else {
            p.hint {
                "Live for longer than " (words::in_words(unconfirmed_after.num_seconds())) ": the message of their end may have \
                 been lost. If so, an administrator says on the session's page when it ended."
                @if sessions.more { " The oldest " (MOST) "; the API has the others." }
            }
            table {
                thead { tr { th { "Stream" } th { "Domain" } th { "Application" } th { "Began" } th.number { "Lasts" } } }
                tbody { @for row in &sessions.rows { tr.stale {
                    td.name { a href=(format!("{ROOT}/sessions/{}", row.session_id)) { bdi { (row.stream) } } }
                    td { (row.domain) }
                    td { (row.app) }
                    td data-label="began" { (words::time(row.started_at)) }
                    td.number data-label="lasts" { (words::duration((as_of - row.started_at).num_seconds().max(0), Some(row.started_at))) }
                } } }
            }
        }
    }
}
