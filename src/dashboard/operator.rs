//! Operators' actions: set or clear a session's end time, release a quarantined callback.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, NaiveDateTime, Utc};
use maud::{Markup, html};
use tokio::time::{interval, timeout};
use uuid::Uuid;

use super::error::PageError;
use super::form::{self, SubmittedForm};
use super::layout::{self, NavItem};
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::event_log::{operator_end, release};
use crate::http::operator_ends::check_reason;
use crate::huawei::advice;
use crate::model::access::Scope;
use crate::model::session::EndSource;
use crate::platform::clock;
use crate::query;
use crate::store;
use crate::store::event::EventRow;
use crate::store::session::SessionRow;

/// How long a page waits until an action is folded.
const FOLDING_TIMEOUT: Duration = Duration::from_secs(2);

#[get("/sessions/{session_id}/end")]
pub async fn show_end(
    visitor: Visitor,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    visitor.require_scope(Scope::Admin)?;
    let session = find_session(&visitor, &state, &session_id).await?;
    let ended_by_operator = session.ended_at_source == Some(EndSource::Operator);
    let content = html! {
        h1 { "End time of the session of " bdi { (session.stream) } }
        p.path { (session.domain) " / " (session.app) " · started " (words::time(view, session.started_at)) }
        p { "Current end: " (words::maybe_time(view, session.ended_at)) " (" (words::end_source(view.language, session.ended_at_source)) ")" }
        (end_form(&visitor, &session))
        @if ended_by_operator { (withdrawal_form(&visitor, &session)) }
        p { a href=(page_of(&session)) { "Back to the session" } }
    };
    Ok(layout::page(&visitor, NavItem::Unlisted, "Set end time", &content))
}

fn end_form(visitor: &Visitor, session: &SessionRow) -> Markup {
    let suggested = session.ended_at.unwrap_or_else(clock::now).format("%Y-%m-%dT%H:%M:%S").to_string();
    let earliest = session.started_at.format("%Y-%m-%dT%H:%M:%S").to_string();
    let fields = html! {
        label { "End time, UTC"
            input type="datetime-local" name="ended_at" step="1" min=(earliest) value=(suggested) required;
        }
        (reason_field(true))
        p.hint { "Your value overrides everything else, including an end callback that arrives later. New reports use it; existing ones don't change." }
        (form::confirmation("The session ended at this time and may be billed accordingly."))
        button { "Set end time" }
    };
    form::form(visitor, "card", &format!("{}/end", page_of(session)), &fields)
}

fn withdrawal_form(visitor: &Visitor, session: &SessionRow) -> Markup {
    let fields = html! {
        h2 { "Clear the end time" }
        (reason_field(true))
        p.hint { "The reported or inferred end counts again; without one, the session is live again." }
        (form::confirmation("The end time set by an operator no longer counts."))
        button { "Clear end time" }
    };
    form::form(visitor, "card", &format!("{}/withdraw-end", page_of(session)), &fields)
}

fn reason_field(required: bool) -> Markup {
    html! {
        label { "Reason, stored in the event log" @if !required { " (optional)" }
            input type="text" name="reason" maxlength="500" required[required];
        }
    }
}

#[post("/sessions/{session_id}/end")]
pub async fn end_session(
    submitted: SubmittedForm,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let session = find_session(&submitted.visitor, &state, &session_id).await?;
    let ended_at = read_time(&submitted.text("ended_at").unwrap_or_default());
    let ended_at =
        ended_at.ok_or_else(|| ApiError::invalid("ended_at", "is not a time such as 2026-10-31T23:59:59"))?;
    set_end(&submitted, &state, &session, Some(ended_at)).await
}

#[post("/sessions/{session_id}/withdraw-end")]
pub async fn withdraw_end(
    submitted: SubmittedForm,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let session = find_session(&submitted.visitor, &state, &session_id).await?;
    set_end(&submitted, &state, &session, None).await
}

async fn set_end(
    submitted: &SubmittedForm,
    state: &AppState,
    session: &SessionRow,
    ended_at: Option<DateTime<Utc>>,
) -> Result<HttpResponse, PageError> {
    submitted.require_confirmation()?;
    let reason = submitted.text("reason").ok_or_else(|| ApiError::invalid("reason", "is empty"))?;
    check_reason(&reason)?;
    let actor = &submitted.visitor.principal.actor;
    let entry = operator_end::set_end(&state.work_pool, actor, session.session_id, ended_at, reason, clock::now());
    let entry = entry.await.map_err(ApiError::from)?;
    await_folding(state, &entry).await;
    Ok(layout::redirect_to(&page_of(session)))
}

/// A time of a form, in UTC. Browsers omit zero seconds.
fn read_time(text: &str) -> Option<DateTime<Utc>> {
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(|time| time.and_utc())
}

#[get("/events/{event_id}/release")]
pub async fn show_release(
    visitor: Visitor,
    state: Data<AppState>,
    event_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    visitor.require_scope(Scope::Admin)?;
    let event = find_quarantined(&visitor, &state, &event_id).await?;
    let fields = html! {
        (reason_field(false))
        p.hint { "The callback then counts as if it had been accepted on arrival." }
        (form::confirmation("The callback is genuine and may be billed."))
        button { "Release" }
    };
    let content = html! {
        h1 { "Release a quarantined callback" }
        dl.facts {
            dt { "Callback" } dd { code { (event.event) } " of " a href=(format!("{ROOT}/sessions/{}", event.session_id)) { bdi { (event.stream) } } ", " (event.domain) " / " (event.app) }
            dt { "Received" } dd { (words::time(view, event.received_at)) }
            dt { "Push started" } dd { (event.publish_timestamp) " (" code { "publish_timestamp" } ")" }
            @if let Some(reason) = event.reason {
                dt { "Quarantined" } dd { strong { (words::readable(reason.as_str())) } p.advice { (advice::of_reason(reason)) } }
            }
        }
        @if let Some(released_at) = event.released_at {
            div.card role="status" { p { "Already released at " (words::time(view, released_at)) "." } }
        } @else {
            (form::form(&visitor, "card", &format!("{ROOT}/events/{}/release", event.event_id), &fields))
        }
        p { a href=(format!("{ROOT}/problems")) { "Back to problems" } }
    };
    Ok(layout::page(&visitor, NavItem::Problems, "Release a quarantined callback", &content))
}

#[post("/events/{event_id}/release")]
pub async fn release_event(
    submitted: SubmittedForm,
    state: Data<AppState>,
    event_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    submitted.require_confirmation()?;
    let event = find_quarantined(&submitted.visitor, &state, &event_id).await?;
    let reason = submitted.text("reason");
    reason.as_deref().map_or(Ok(()), check_reason)?;
    let actor = &submitted.visitor.principal.actor;
    let entry = release::release(&state.work_pool, actor, event.event_id, reason, clock::now()).await;
    await_folding(&state, &entry.map_err(ApiError::from)?).await;
    Ok(layout::redirect_to(&format!("{ROOT}/sessions/{}", event.session_id)))
}

fn page_of(session: &SessionRow) -> String {
    format!("{ROOT}/sessions/{}", session.session_id)
}

async fn find_session(visitor: &Visitor, state: &AppState, session_id: &str) -> Result<SessionRow, PageError> {
    let missing = || ApiError::NotFound("session");
    let session_id = Uuid::try_parse(session_id).map_err(|_| missing())?;
    let found = query::sessions::get_session(&state.query_pool, &visitor.principal, session_id).await?;
    Ok(found.ok_or_else(missing)?.0)
}

async fn find_quarantined(visitor: &Visitor, state: &AppState, event_id: &str) -> Result<EventRow, PageError> {
    let missing = || ApiError::NotFound("quarantined event");
    let event_id = Uuid::try_parse(event_id).map_err(|_| missing())?;
    let event = store::event::get_quarantined_event(&state.work_pool, event_id).await?;
    Ok(event.filter(|event| visitor.principal.sees(&event.domain)).ok_or_else(missing)?)
}

/// Waits until an event is folded, so that the next page shows its effect. Ignores the timeout: the event is stored.
async fn await_folding(state: &AppState, event: &EventRow) {
    state.appended.notify_one();
    let folded = async {
        let mut again = interval(Duration::from_millis(20));
        loop {
            again.tick().await;
            if query::changes::is_folded(&state.work_pool, event.shard, event.position).await.unwrap_or(true) {
                break;
            }
        }
    };
    let _ = timeout(FOLDING_TIMEOUT, folded).await;
}
