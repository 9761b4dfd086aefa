//! Operators' actions: set or clear a session's end time, release a quarantined callback.
//!
//! An end time is typed and read in the visitor's time zone, which the form carries along. It is stored only after a page
//! has shown the result. What is wrong is said at the field, and what was typed stays.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, LocalResult, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};
use tokio::time::{interval, timeout};

use super::draft::{Draft, FieldError};
use super::error::PageError;
use super::form::{self, AdminForm, SubmittedForm};
use super::layout::{self, NavItem};
use super::preferences::zone_name;
use super::typed_time::{in_field, read_time};
use super::view::View;
use super::visitor::{AdminVisitor, Visitor};
use super::{links, words};
use crate::api::problem::{ApiError, parse_id};
use crate::app::state::AppState;
use crate::event_log::{operator_end, release};
use crate::http::operator_ends::check_note;
use crate::model::session::EndSource;
use crate::platform::clock;
use crate::query;
use crate::session::key::started_at;
use crate::store;
use crate::store::event::EventRow;
use crate::store::session::SessionRow;

/// How long a page waits until an action is folded.
const FOLDING_TIMEOUT: Duration = Duration::from_secs(2);

#[get("/sessions/{session_id}/end")]
pub async fn show_end(
    visitor: AdminVisitor,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let session = find_session(&visitor, &state, &session_id).await?;
    // Nothing is suggested for a live session: a time that nobody chose may be billed.
    let known = session.ended_at.map(|ended_at| ("ended_at", in_field(visitor.view, ended_at)));
    let end = Draft::of_values(known.into_iter().collect());
    Ok(end_page(&visitor, &session, &end, &Draft::default()))
}

/// The forms of a session's end: to set it, and to clear what an operator has set.
fn end_page(visitor: &Visitor, session: &SessionRow, end: &Draft, clear: &Draft) -> HttpResponse {
    let view = visitor.view;
    let text = view.language;
    let name = html! { bdi { (session.stream) } };
    let content = html! {
        h1 { (words::fill(&text.operator_end_of(), &[name])) }
        p.path { bdi { (session.domain) } " / " bdi { (session.app) } " · " (words::fill(&text.operator_started(), &[words::time(view, session.started_at)])) }
        p {
            @match session.ended_at {
                Some(ended_at) => {
                    (words::fill(&text.operator_current_end(), &[words::time(view, ended_at), html! { (words::end_source(text, session.ended_at_source)) }]))
                }
                None => (text.operator_current_live()),
            }
        }
        (end_form(visitor, session, end))
        @if session.ended_at_source == Some(EndSource::Operator) { (clear_form(visitor, session, clear)) }
        p { a href=(links::session(session.session_id)) { (text.operator_back_to_session()) } }
    };
    clear.answer(end.answer(layout::page(visitor, NavItem::Unlisted, &text.set_end(), &content)))
}

fn end_form(visitor: &Visitor, session: &SessionRow, draft: &Draft) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let fields = html! {
        input type="hidden" name="time_zone" value=(view.zone.name());
        label { (text.operator_ended_at(&zone_name(view)))
            input type="datetime-local" name="ended_at" step="1" min=(in_field(view, session.started_at)) max=(in_field(view, view.now))
                value=(draft.value("ended_at")) required aria-invalid=[draft.invalid("ended_at")] aria-describedby=[draft.described_by("ended_at")];
        }
        (draft.error("ended_at"))
        (reason_field(&text.operator_reason(), true, draft))
        p.hint { (text.operator_end_hint()) }
        button.primary { (text.operator_continue()) }
    };
    form::form(visitor, "card", &links::session_end(session.session_id), &fields)
}

fn clear_form(visitor: &Visitor, session: &SessionRow, draft: &Draft) -> Markup {
    let text = visitor.view.language;
    let fields = html! {
        h2 { (text.operator_clear_end()) }
        (reason_field(&text.operator_reason(), true, draft))
        p.hint { (text.operator_clear_hint()) }
        (form::confirmation(&text.operator_clear_confirmed()))
        (draft.error("confirmed"))
        button { (text.operator_clear_end()) }
    };
    form::form(visitor, "card", &format!("{}/withdraw-end", links::session(session.session_id)), &fields)
}

pub fn reason_field(label: &str, required: bool, draft: &Draft) -> Markup {
    html! {
        label { (label)
            input type="text" name="reason" maxlength="500" value=(draft.value("reason")) required[required]
                aria-invalid=[draft.invalid("reason")] aria-describedby=[draft.described_by("reason")];
        }
        (draft.error("reason"))
    }
}

/// Shows what the end time means; stores it if that was confirmed.
#[post("/sessions/{session_id}/end")]
pub async fn end_session(
    submitted: AdminForm,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let mut submitted = submitted.0;
    let session = find_session(&submitted.visitor, &state, &session_id).await?;
    // The zone that was named at the field, even if another was chosen since.
    if let Some(zone) = submitted.text("time_zone").and_then(|name| name.parse::<Tz>().ok()) {
        submitted.visitor.view.zone = zone;
    }
    let visitor = &submitted.visitor;
    let reason = read_reason(&submitted, true);
    let ended_at = read_end(visitor.view, &session, &submitted.text("ended_at").unwrap_or_default());
    match (ended_at, reason) {
        (Ok(ended_at), Ok(reason)) if !submitted.is_checked("change") => {
            if submitted.is_checked("confirmed") {
                set_end(visitor, &state, &session, Some(ended_at), reason).await
            } else {
                Ok(end_preview(&submitted, &session, ended_at))
            }
        }
        (ended_at, reason) => {
            let draft = Draft::typed(&submitted, ended_at.err().into_iter().chain(reason.err()));
            Ok(end_page(visitor, &session, &draft, &Draft::default()))
        }
    }
}

/// # Errors
/// The reason is missing, too long, or has control characters.
pub fn read_reason(submitted: &SubmittedForm, is_required: bool) -> Result<String, FieldError> {
    let text = submitted.visitor.view.language;
    let reason = submitted.text("reason").unwrap_or_default();
    if is_required && reason.is_empty() {
        return Err(FieldError::new("reason", text.operator_no_reason()));
    }
    check_note("reason", &reason).map_err(|_| FieldError::new("reason", text.operator_bad_reason()))?;
    Ok(reason)
}

/// The end time that was typed in the visitor's zone.
fn read_end(view: View, session: &SessionRow, typed: &str) -> Result<DateTime<Utc>, FieldError> {
    let text = view.language;
    let zone = view.zone.name();
    let problem = match read_time(view.zone, typed) {
        None => text.operator_no_time(),
        Some(LocalResult::None) => text.operator_skipped_time(zone),
        Some(LocalResult::Ambiguous(..)) => text.operator_repeated_time(zone),
        Some(LocalResult::Single(ended_at)) if ended_at < session.started_at => {
            text.operator_before_start(&words::date_and_time(view, session.started_at))
        }
        Some(LocalResult::Single(ended_at)) if ended_at > view.now => text.operator_in_future(),
        Some(LocalResult::Single(ended_at)) => return Ok(ended_at),
    };
    Err(FieldError::new("ended_at", problem))
}

/// The result of an end time, before it is stored.
fn end_preview(submitted: &SubmittedForm, session: &SessionRow, ended_at: DateTime<Utc>) -> HttpResponse {
    let visitor = &submitted.visitor;
    let view = visitor.view;
    let text = view.language;
    let name = html! { bdi { (session.stream) } };
    let length = words::duration(text, (ended_at - session.started_at).num_seconds());
    let end = words::date_and_time(view, ended_at);
    let result = if view.zone == Tz::UTC {
        text.operator_result_utc(&end, &length)
    } else {
        text.operator_result(&end, view.zone.name(), &ended_at.format("%H:%M:%S").to_string(), &length)
    };
    let typed = Draft::typed(submitted, []);
    let fields = html! {
        p { strong { (result) } }
        p { (text.operator_reason()) ": " bdi { (typed.value("reason")) } }
        p.hint { (text.operator_result_billed()) " " (text.operator_end_hint()) }
        @for (name, value) in [("time_zone", view.zone.name()), ("ended_at", typed.value("ended_at")), ("reason", typed.value("reason")), ("confirmed", "yes")] {
            input type="hidden" name=(name) value=(value);
        }
        div.actions {
            button.primary { (text.set_end()) }
            button name="change" value="yes" { (text.operator_change()) }
        }
    };
    let content = html! {
        h1 { (text.operator_check()) }
        p.path { (words::fill(&text.operator_end_of(), &[name])) }
        (form::form(visitor, "card", &links::session_end(session.session_id), &fields))
    };
    layout::page(visitor, NavItem::Unlisted, &text.operator_check(), &content)
}

#[post("/sessions/{session_id}/withdraw-end")]
pub async fn clear_end(
    submitted: AdminForm,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let session = find_session(&submitted.visitor, &state, &session_id).await?;
    match (read_reason(&submitted, true), require_tick(&submitted)) {
        (Ok(reason), Ok(())) => set_end(&submitted.visitor, &state, &session, None, reason).await,
        (reason, tick) => {
            let draft = Draft::typed(&submitted, reason.err().into_iter().chain(tick.err()));
            Ok(end_page(&submitted.visitor, &session, &Draft::default(), &draft))
        }
    }
}

/// # Errors
/// The box of the confirmation is not checked.
pub fn require_tick(submitted: &SubmittedForm) -> Result<(), FieldError> {
    let unticked = || FieldError::new("confirmed", submitted.visitor.view.language.operator_not_confirmed());
    submitted.is_checked("confirmed").then_some(()).ok_or_else(unticked)
}

async fn set_end(
    visitor: &Visitor,
    state: &AppState,
    session: &SessionRow,
    ended_at: Option<DateTime<Utc>>,
    reason: String,
) -> Result<HttpResponse, PageError> {
    let actor = &visitor.principal.actor;
    let entry = operator_end::set_end(&state.work_pool, actor, session.session_id, ended_at, reason, clock::now());
    let entry = entry.await.map_err(ApiError::from)?;
    await_folding(state, &entry).await;
    Ok(layout::redirect_to(&links::session(session.session_id)))
}

#[get("/events/{event_id}/release")]
pub async fn show_release(
    visitor: AdminVisitor,
    state: Data<AppState>,
    event_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let event = find_quarantined(&visitor, &state, &event_id).await?;
    Ok(release_page(&visitor, &event, &Draft::default()))
}

fn release_page(visitor: &Visitor, event: &EventRow, draft: &Draft) -> HttpResponse {
    let view = visitor.view;
    let text = view.language;
    let fields = html! {
        (reason_field(&text.operator_reason_optional(), false, draft))
        p.hint { (text.released_counts()) }
        (form::confirmation(&text.operator_release_confirmed()))
        (draft.error("confirmed"))
        button.primary { (text.release()) }
    };
    let content = html! {
        h1 { (text.operator_release_title()) }
        dl.facts {
            dt { (text.operator_callback()) }
            dd { code { (event.event) } " · " a href=(links::session(event.session_id)) { bdi { (event.stream) } } " · " bdi { (event.domain) } " / " bdi { (event.app) } }
            dt { (text.received()) } dd { (words::time(view, event.received_at)) }
            dt { (text.push_started()) }
            dd { (words::time(view, started_at(event.publish_timestamp))) " " code.muted { "publish_timestamp " (event.publish_timestamp) } }
            @if let Some(reason) = event.reason {
                dt { (text.operator_quarantined()) }
                dd { strong { (text.quarantine_name(reason)) } p.advice { (text.quarantine_advice(reason)) } }
            }
        }
        @if let Some(released_at) = event.released_at {
            div.card role="status" { p { (words::fill(&text.operator_released_before(), &[words::time(view, released_at)])) } }
        } @else {
            (form::form(visitor, "card", &links::release(event.event_id), &fields))
        }
        p { a href=(links::problems()) { (text.operator_back_to_problems()) } }
    };
    draft.answer(layout::page(visitor, NavItem::Problems, &text.operator_release_title(), &content))
}

#[post("/events/{event_id}/release")]
pub async fn release_event(
    submitted: AdminForm,
    state: Data<AppState>,
    event_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let event = find_quarantined(&submitted.visitor, &state, &event_id).await?;
    let reason = match (read_reason(&submitted, false), require_tick(&submitted)) {
        (Ok(reason), Ok(())) => Some(reason).filter(|reason| !reason.is_empty()),
        (reason, tick) => {
            let draft = Draft::typed(&submitted, reason.err().into_iter().chain(tick.err()));
            return Ok(release_page(&submitted.visitor, &event, &draft));
        }
    };
    let actor = &submitted.visitor.principal.actor;
    let entry = release::release(&state.work_pool, actor, event.event_id, reason, clock::now()).await;
    await_folding(&state, &entry.map_err(ApiError::from)?).await;
    Ok(layout::redirect_to(&links::session(event.session_id)))
}

/// # Errors
/// The session does not exist, the visitor may not see it, or the database fails.
pub async fn find_session(visitor: &Visitor, state: &AppState, session_id: &str) -> Result<SessionRow, PageError> {
    let session_id = parse_id(session_id, "session")?;
    let found = query::sessions::get_session(&state.query_pool, &visitor.principal, session_id).await?;
    Ok(found.ok_or(ApiError::NotFound("session"))?.0)
}

async fn find_quarantined(visitor: &Visitor, state: &AppState, event_id: &str) -> Result<EventRow, PageError> {
    let event_id = parse_id(event_id, "quarantined event")?;
    let event = store::event::get_quarantined_event(&state.work_pool, event_id).await?;
    let event = event.filter(|event| visitor.principal.sees(&event.domain));
    Ok(event.ok_or(ApiError::NotFound("quarantined event"))?)
}

/// Waits until an event is folded, so that the next page shows its effect. Ignores the timeout: the event is stored.
pub async fn await_folding(state: &AppState, event: &EventRow) {
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
