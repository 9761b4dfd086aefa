//! Operators' actions: set or clear a session's end time, release a quarantined callback.
//!
//! An end time is typed and read in the visitor's time zone, which the form carries along. It is stored only after a page
//! has shown the result. What is wrong is said at the field, and what was typed stays.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, HttpResponseBuilder, get, post};
use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};
use tokio::time::{interval, timeout};
use uuid::Uuid;

use super::error::PageError;
use super::form::{self, SubmittedForm};
use super::layout::{self, NavItem};
use super::preferences::zone_name;
use super::texts::Language;
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::event_log::{operator_end, release};
use crate::http::operator_ends::check_reason;
use crate::model::access::Scope;
use crate::model::session::EndSource;
use crate::platform::clock;
use crate::query;
use crate::session::key::started_at;
use crate::store;
use crate::store::event::EventRow;
use crate::store::session::SessionRow;

/// How long a page waits until an action is folded.
const FOLDING_TIMEOUT: Duration = Duration::from_secs(2);

/// As browsers send the time of a form.
const FIELD_FORMAT: &str = "%Y-%m-%dT%H:%M:%S";

/// What was typed into a form, and what is wrong with it, by field.
#[derive(Default)]
struct Typed {
    ended_at: String,
    reason: String,
    wrong_time: Option<String>,
    wrong_reason: Option<String>,
    not_confirmed: Option<String>,
}

impl Typed {
    fn is_wrong(&self) -> bool {
        self.wrong_time.is_some() || self.wrong_reason.is_some() || self.not_confirmed.is_some()
    }

    fn status(&self) -> StatusCode {
        if self.is_wrong() { StatusCode::BAD_REQUEST } else { StatusCode::OK }
    }
}

#[get("/sessions/{session_id}/end")]
pub async fn show_end(
    visitor: Visitor,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    visitor.require_scope(Scope::Admin)?;
    let session = find_session(&visitor, &state, &session_id).await?;
    // Nothing is suggested for a live session: a time that nobody chose may be billed.
    let known = session.ended_at.map(|ended_at| in_field(visitor.view, ended_at));
    let typed = Typed { ended_at: known.unwrap_or_default(), ..Typed::default() };
    Ok(end_page(&visitor, &session, &typed, &Typed::default()))
}

/// The forms of a session's end: to set it, and to clear what an operator has set.
fn end_page(visitor: &Visitor, session: &SessionRow, end: &Typed, clear: &Typed) -> HttpResponse {
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
        p { a href=(page_of(session)) { (text.operator_back_to_session()) } }
    };
    let status = if clear.is_wrong() { clear.status() } else { end.status() };
    answer(visitor, status, NavItem::Unlisted, &text.operator_set_end(), &content)
}

fn answer(visitor: &Visitor, status: StatusCode, item: NavItem, title: &str, content: &Markup) -> HttpResponse {
    let page = layout::framed(visitor, item, title, content);
    HttpResponseBuilder::new(status).content_type(layout::HTML).body(page.into_string())
}

fn end_form(visitor: &Visitor, session: &SessionRow, typed: &Typed) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let fields = html! {
        input type="hidden" name="time_zone" value=(view.zone.name());
        label { (text.operator_ended_at(&zone_name(view)))
            input type="datetime-local" name="ended_at" step="1" min=(in_field(view, session.started_at)) max=(in_field(view, view.now))
                value=(typed.ended_at) required aria-invalid=[typed.wrong_time.as_ref().map(|_| "true")] aria-describedby=[typed.wrong_time.as_ref().map(|_| "wrong-time")];
        }
        (field_error("wrong-time", typed.wrong_time.as_deref()))
        (reason_field(&text.operator_reason(), "wrong-reason", true, typed))
        p.hint { (text.operator_end_hint()) }
        button.primary { (text.operator_continue()) }
    };
    form::form(visitor, "card", &format!("{}/end", page_of(session)), &fields)
}

fn clear_form(visitor: &Visitor, session: &SessionRow, typed: &Typed) -> Markup {
    let text = visitor.view.language;
    let fields = html! {
        h2 { (text.operator_clear_end()) }
        (reason_field(&text.operator_reason(), "wrong-clear-reason", true, typed))
        p.hint { (text.operator_clear_hint()) }
        (form::confirmation(&text.operator_clear_confirmed()))
        (field_error("not-confirmed", typed.not_confirmed.as_deref()))
        button { (text.operator_clear_end()) }
    };
    form::form(visitor, "card", &format!("{}/withdraw-end", page_of(session)), &fields)
}

fn reason_field(label: &str, error_id: &str, required: bool, typed: &Typed) -> Markup {
    let wrong = typed.wrong_reason.as_deref();
    html! {
        label { (label)
            input type="text" name="reason" maxlength="500" value=(typed.reason) required[required]
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| error_id)];
        }
        (field_error(error_id, wrong))
    }
}

fn field_error(id: &str, wrong: Option<&str>) -> Markup {
    html! { @if let Some(wrong) = wrong { p.field-error id=(id) role="alert" { (wrong) } } }
}

/// Shows what the end time means; stores it if that was confirmed.
#[post("/sessions/{session_id}/end")]
pub async fn end_session(
    mut submitted: SubmittedForm,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let session = find_session(&submitted.visitor, &state, &session_id).await?;
    // The zone that was named at the field, even if another was chosen since.
    if let Some(zone) = submitted.text("time_zone").and_then(|name| name.parse::<Tz>().ok()) {
        submitted.visitor.view.zone = zone;
    }
    let view = submitted.visitor.view;
    let mut typed = read_typed(&submitted, true);
    typed.ended_at = submitted.text("ended_at").unwrap_or_default();
    let ended_at = match read_end(view, &session, &typed.ended_at) {
        Ok(ended_at) if !typed.is_wrong() && !submitted.is_checked("change") => ended_at,
        outcome => {
            typed.wrong_time = outcome.err();
            return Ok(end_page(&submitted.visitor, &session, &typed, &Typed::default()));
        }
    };
    if submitted.is_checked("confirmed") {
        set_end(&submitted.visitor, &state, &session, Some(ended_at), typed.reason).await
    } else {
        Ok(end_preview(&submitted.visitor, &session, ended_at, &typed))
    }
}

/// What was typed into the fields that all forms have.
fn read_typed(submitted: &SubmittedForm, reason_required: bool) -> Typed {
    let text = submitted.visitor.view.language;
    let reason = submitted.text("reason").unwrap_or_default();
    let wrong_reason = if reason_required && reason.is_empty() {
        Some(text.operator_no_reason())
    } else {
        check_reason(&reason).err().map(|_| text.operator_bad_reason())
    };
    Typed { reason, wrong_reason, ..Typed::default() }
}

/// The end time that was typed in the visitor's zone, or what is wrong with it.
fn read_end(view: View, session: &SessionRow, typed: &str) -> Result<DateTime<Utc>, String> {
    let text = view.language;
    let ended_at = read_local(text, view.zone, typed)?;
    if ended_at < session.started_at {
        Err(text.operator_before_start(&words::date_and_time(view, session.started_at)))
    } else if ended_at > view.now {
        Err(text.operator_in_future())
    } else {
        Ok(ended_at)
    }
}

/// A time of a form, by the clocks of a zone. Browsers omit zero seconds.
fn read_local(text: Language, zone: Tz, typed: &str) -> Result<DateTime<Utc>, String> {
    let formats = [FIELD_FORMAT, "%Y-%m-%dT%H:%M"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(typed, format).ok());
    match zone.from_local_datetime(&local.ok_or_else(|| text.operator_no_time())?) {
        LocalResult::Single(time) => Ok(time.to_utc()),
        LocalResult::Ambiguous(..) => Err(text.operator_repeated_time(zone.name())),
        LocalResult::None => Err(text.operator_skipped_time(zone.name())),
    }
}

fn in_field(view: View, time: DateTime<Utc>) -> String {
    view.local(time).format(FIELD_FORMAT).to_string()
}

/// The result of an end time, before it is stored.
fn end_preview(visitor: &Visitor, session: &SessionRow, ended_at: DateTime<Utc>, typed: &Typed) -> HttpResponse {
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
    let fields = html! {
        p { strong { (result) } }
        p { (text.operator_reason()) ": " bdi { (typed.reason) } }
        p.hint { (text.operator_result_billed()) " " (text.operator_end_hint()) }
        @for (name, value) in [("time_zone", view.zone.name()), ("ended_at", &typed.ended_at), ("reason", &typed.reason), ("confirmed", "yes")] {
            input type="hidden" name=(name) value=(value);
        }
        div.actions {
            button.primary { (text.operator_set_end()) }
            button name="change" value="yes" { (text.operator_change()) }
        }
    };
    let content = html! {
        h1 { (text.operator_check()) }
        p.path { (words::fill(&text.operator_end_of(), &[name])) }
        (form::form(visitor, "card", &format!("{}/end", page_of(session)), &fields))
    };
    answer(visitor, StatusCode::OK, NavItem::Unlisted, &text.operator_check(), &content)
}

#[post("/sessions/{session_id}/withdraw-end")]
pub async fn clear_end(
    submitted: SubmittedForm,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let visitor = &submitted.visitor;
    let session = find_session(visitor, &state, &session_id).await?;
    let mut typed = read_typed(&submitted, true);
    typed.not_confirmed = not_confirmed(&submitted);
    if typed.is_wrong() {
        return Ok(end_page(visitor, &session, &Typed::default(), &typed));
    }
    set_end(visitor, &state, &session, None, typed.reason).await
}

fn not_confirmed(submitted: &SubmittedForm) -> Option<String> {
    (!submitted.is_checked("confirmed")).then(|| submitted.visitor.view.language.operator_not_confirmed())
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
    Ok(layout::redirect_to(&page_of(session)))
}

#[get("/events/{event_id}/release")]
pub async fn show_release(
    visitor: Visitor,
    state: Data<AppState>,
    event_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    visitor.require_scope(Scope::Admin)?;
    let event = find_quarantined(&visitor, &state, &event_id).await?;
    Ok(release_page(&visitor, &event, &Typed::default()))
}

fn release_page(visitor: &Visitor, event: &EventRow, typed: &Typed) -> HttpResponse {
    let view = visitor.view;
    let text = view.language;
    let fields = html! {
        (reason_field(&text.operator_reason_optional(), "wrong-reason", false, typed))
        p.hint { (text.operator_release_hint()) }
        (form::confirmation(&text.operator_release_confirmed()))
        (field_error("not-confirmed", typed.not_confirmed.as_deref()))
        button.primary { (text.operator_release()) }
    };
    let content = html! {
        h1 { (text.operator_release_title()) }
        dl.facts {
            dt { (text.operator_callback()) }
            dd { code { (event.event) } " · " a href=(session_page(event)) { bdi { (event.stream) } } " · " bdi { (event.domain) } " / " bdi { (event.app) } }
            dt { (text.operator_received()) } dd { (words::time(view, event.received_at)) }
            dt { (text.operator_push_started()) }
            dd { (words::time(view, started_at(event.publish_timestamp))) " " code.muted { "publish_timestamp " (event.publish_timestamp) } }
            @if let Some(reason) = event.reason {
                dt { (text.operator_quarantined()) }
                dd { strong { (text.quarantine_name(reason)) } p.advice { (text.quarantine_advice(reason)) } }
            }
        }
        @if let Some(released_at) = event.released_at {
            div.card role="status" { p { (words::fill(&text.operator_released_before(), &[words::time(view, released_at)])) } }
        } @else {
            (form::form(visitor, "card", &format!("{ROOT}/events/{}/release", event.event_id), &fields))
        }
        p { a href=(format!("{ROOT}/problems")) { (text.operator_back_to_problems()) } }
    };
    answer(visitor, typed.status(), NavItem::Problems, &text.operator_release_title(), &content)
}

#[post("/events/{event_id}/release")]
pub async fn release_event(
    submitted: SubmittedForm,
    state: Data<AppState>,
    event_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let event = find_quarantined(&submitted.visitor, &state, &event_id).await?;
    let mut typed = read_typed(&submitted, false);
    typed.not_confirmed = not_confirmed(&submitted);
    if typed.is_wrong() {
        return Ok(release_page(&submitted.visitor, &event, &typed));
    }
    let reason = Some(typed.reason).filter(|reason| !reason.is_empty());
    let actor = &submitted.visitor.principal.actor;
    let entry = release::release(&state.work_pool, actor, event.event_id, reason, clock::now()).await;
    await_folding(&state, &entry.map_err(ApiError::from)?).await;
    Ok(layout::redirect_to(&session_page(&event)))
}

fn page_of(session: &SessionRow) -> String {
    format!("{ROOT}/sessions/{}", session.session_id)
}

fn session_page(event: &EventRow) -> String {
    format!("{ROOT}/sessions/{}", event.session_id)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_time_is_read_by_the_clocks_of_the_zone() {
        let english = Language::English;
        let read = |zone: Tz, typed: &str| read_local(english, zone, typed).map(|time| time.to_rfc3339());
        assert_eq!(read(Tz::Asia__Shanghai, "2026-11-27T20:00"), Ok("2026-11-27T12:00:00+00:00".to_owned()));
        assert_eq!(read(Tz::UTC, "2026-11-27T20:00:05"), Ok("2026-11-27T20:00:05+00:00".to_owned()));
        let berlin = Tz::Europe__Berlin;
        assert_eq!(read(berlin, "2026-03-29T02:30:00"), Err(english.operator_skipped_time("Europe/Berlin")));
        assert_eq!(read(berlin, "2026-10-25T02:30:00"), Err(english.operator_repeated_time("Europe/Berlin")));
        for typed in ["", "20:00", "2026-02-30T00:00"] {
            assert_eq!(read(berlin, typed), Err(english.operator_no_time()), "{typed}");
        }
    }
}
