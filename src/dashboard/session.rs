//! A session: its story in a sentence, its facts with their sources, its neighbors, and its log. Also a push of which only
//! quarantined callbacks exist, which is not a session yet.

use std::str::FromStr;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::error::PageError;
use super::layout::{self, NavItem};
use super::shown_state::ShownState;
use super::texts::Language;
use super::timeline::{self, INTERRUPTION};
use super::view::View;
use super::visitor::Visitor;
use super::{links, words};
use crate::api::problem::{ApiError, parse_id};
use crate::app::state::AppState;
use crate::event_log::confirmation::can_confirm;
use crate::model::access::Scope;
use crate::model::event::{Disposition, OwnEvent, Signature};
use crate::model::filter::SessionFilter;
use crate::model::session::{EndSource, SessionOrder};
use crate::query;
use crate::session::key::{StreamId, StreamKey, started_at};
use crate::session::lifecycle::duration_seconds;
use crate::store::event::EventRow;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;

const MAX_EVENTS: u16 = 100;

/// The sessions of the stream that started last before a session, and first after it.
struct Neighbors {
    previous: Option<SessionRow>,
    next: Option<SessionRow>,
}

#[get("/sessions/{session_id}")]
pub async fn show_session(
    visitor: Visitor,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_id = parse_id(&session_id, "session")?;
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let Some((session, _)) = query::sessions::get_session(pool, principal, session_id).await? else {
        return show_quarantined_push(&visitor, &state, session_id).await;
    };
    let events = query::events::list_session_events(pool, principal, session_id, None, MAX_EVENTS).await?;
    let events = events.ok_or(ApiError::NotFound("session"))?;
    let last_listed_at = query::sessions::get_last_listed_at(pool, &session).await?;
    let neighbors = Neighbors {
        previous: get_neighbor(&visitor, &state, &session, SessionOrder::NewestFirst).await?,
        next: get_neighbor(&visitor, &state, &session, SessionOrder::OldestFirst).await?,
    };
    let text = visitor.view.language;
    let changes = links::with("/v1/live/changes", &[("domain", Some(&session.domain)), ("app", Some(&session.app))]);
    let content = html! {
        div #followed data-follow="stream" data-stream=(session.stream_id) data-changes=(changes) {
            (head(&visitor, &state, &session, &neighbors))
            (neighbor_links(visitor.view, &session, &neighbors))
            h2 { (text.session_facts()) }
            (facts(&visitor, &session, last_listed_at))
            h2 { (text.session_log()) }
            @if events.more { p.hint { (text.session_log_newest(MAX_EVENTS)) } }
            (event_table(&visitor, events.rows.iter().rev()))
        }
    };
    Ok(layout::page(&visitor, NavItem::Unlisted, &text.session_title(&session.stream), &content))
}

async fn get_neighbor(
    visitor: &Visitor,
    state: &AppState,
    session: &SessionRow,
    order: SessionOrder,
) -> Result<Option<SessionRow>, PageError> {
    let filter = SessionFilter { stream_id: Some(session.stream_id), ..SessionFilter::default() };
    let page = SessionPage { order, after: Some(session.session_id), limit: 1 };
    Ok(visitor.list_sessions(state, &filter, page).await?.rows.pop())
}

/// The names, the story, and the operator's action where one is likely to be needed.
fn head(visitor: &Visitor, state: &AppState, session: &SessionRow, neighbors: &Neighbors) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let stream = html! { a href=(links::stream(session.stream_id)) { bdi { (session.stream) } } };
    let state = ShownState::of_session(session, view.now, state.unconfirmed_after);
    let is_certain = session.ended_at_source.is_some_and(EndSource::is_confirmed);
    let may_be_live = state.is_unconfirmed() || (session.ended_at.is_some() && can_confirm(session.ended_at_source));
    let end_form = links::session_end(session.session_id);
    html! {
        h1.name { (words::fill(&text.session_of(), &[stream])) }
        p.path { bdi { (session.domain) } " / " bdi { (session.app) } }
        p.now { (mark(text, state)) (story(visitor, session, neighbors.next.as_ref(), state)) }
        @if visitor.principal.may(Scope::Admin) {
            p.actions {
                @if may_be_live { a.button href=(links::session_confirmation(session.session_id)) { (text.still_live()) } " " }
                a.button.quiet[is_certain] href=(end_form) { (text.set_end()) }
            }
        }
    }
}

/// The mark of the state; the story has its word, unless the session is unconfirmed.
fn mark(text: Language, state: ShownState) -> Markup {
    match state {
        ShownState::Unconfirmed => html! { (state.show(text)) " " },
        ShownState::Live => html! { span.state.live {} },
        ShownState::Ended => html! { span.state.ended {} },
    }
}

/// What became of the session, in sentences.
fn story(visitor: &Visitor, session: &SessionRow, next: Option<&SessionRow>, state: ShownState) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let Some((ended_at, source)) = session.ended_at.zip(session.ended_at_source) else {
        let parts = [words::time(view, session.started_at), words::clock(view, session.started_at)];
        return html! {
            (words::fill(&text.session_live(), &parts))
            @if state.is_unconfirmed() { " " (text.unconfirmed_means()) }
        };
    };
    let length = words::lasted(view, duration_seconds(session.started_at, Some(ended_at), view.now));
    let why = match source {
        EndSource::Notification => text.session_why_callback(),
        EndSource::Operator => text.session_why_operator(),
        EndSource::Superseded => text.session_why_superseded(),
        EndSource::TimedOut => text.session_why_timed_out(),
        EndSource::Unlisted => text.session_why_unlisted(),
        EndSource::ProviderHistory => text.session_why_history(),
    };
    html! {
        (words::fill(&text.session_ended(), &[words::time(view, ended_at), length])) " " (why) " "
        @match next {
            // Its beginning is why this session ended.
            Some(_) if source == EndSource::Superseded => {},
            Some(next) => (what_followed(visitor, session, (next.started_at - ended_at).num_seconds(), next)),
            None => (text.session_not_back()),
        }
    }
}

/// Tells an interruption from a stop: `gap` is the number of seconds until the next push.
fn what_followed(visitor: &Visitor, session: &SessionRow, gap: i64, next: &SessionRow) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let addresses = session.shown_client_ip().zip(next.shown_client_ip());
    let known = addresses.filter(|_| visitor.principal.may(Scope::Personal));
    let sentence = match (gap, known) {
        (..0, _) => text.session_next_before(),
        (gap, _) if gap > INTERRUPTION.num_seconds() => text.session_next_later(),
        (_, Some((before, after))) if before == after => text.session_back_same_address(),
        (_, Some(_)) => text.session_back_other_address(),
        (_, None) => text.session_back(),
    };
    words::fill(&sentence, &[words::lasted(view, gap.abs())])
}

fn neighbor_links(view: View, session: &SessionRow, neighbors: &Neighbors) -> Markup {
    let text = view.language;
    // A live session has no end from which a gap could be measured.
    let gap = |earlier: &SessionRow, later: &SessionRow| match earlier.ended_at {
        Some(ended_at) => {
            let seconds = (later.started_at - ended_at).num_seconds();
            let length = words::duration(text, seconds.abs());
            if seconds < 0 { text.session_overlap(&length) } else { text.session_gap(&length) }
        }
        None => text.session_is_live(),
    };
    let link = |row: &SessionRow, rel: &str, name: String, gap: String| {
        html! {
            a.figure href=(links::session(row.session_id)) rel=(rel) {
                span { (name) } " "
                b {
                    @match row.ended_at {
                        Some(ended_at) => (timeline::span(view, row.started_at, ended_at)),
                        None => (text.stream_since(&words::date_and_time(view, row.started_at))),
                    }
                }
                " " span { (gap) }
            }
        }
    };
    html! {
        nav.figures.neighbors aria-label=(text.session_neighbors()) {
            @if let Some(row) = &neighbors.previous { (link(row, "prev", text.session_previous(), gap(row, session))) }
            @if let Some(row) = &neighbors.next { (link(row, "next", text.session_next(), gap(session, row))) }
        }
    }
}

fn facts(visitor: &Visitor, session: &SessionRow, last_listed_at: Option<DateTime<Utc>>) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let provided = html! { code { "publish_timestamp " (session.publish_timestamp) } };
    let received = |at, deliveries: i32| {
        html! { (words::maybe_time(view, at)) @if deliveries > 1 { " · " (text.session_times(deliveries)) } }
    };
    html! {
        dl.facts {
            dt { (text.started()) }
            dd { (words::time(view, session.started_at)) " " span.muted { "· " (words::fill(&text.session_started_source(), &[provided])) } }
            dt { (text.ended()) }
            dd { (words::maybe_time(view, session.ended_at)) " " span.muted { "· " (words::end_source(text, session.ended_at_source)) } }
            dt { (text.length()) }
            dd {
                @match session.ended_at {
                    Some(_) => (words::lasted(view, duration_seconds(session.started_at, session.ended_at, view.now))),
                    None => (words::clock(view, session.started_at)),
                }
            }
            dt { (text.session_start_received()) } dd { (received(session.start_received_at, session.start_deliveries)) }
            dt { (text.session_end_received()) } dd { (received(session.end_received_at, session.end_deliveries)) }
            @if session.confirmed_at.is_some() {
                dt { (text.session_confirmed()) } dd { (words::maybe_time(view, session.confirmed_at)) }
            }
            @if let Some(listed_at) = last_listed_at {
                dt { (text.session_last_listed()) } dd { (words::time(view, listed_at)) }
            }
            @if let Some(ended_at) = session.history_ended_at {
                dt { (text.session_provider_end()) } dd { (words::time(view, ended_at)) }
            }
            @for flag in &session.flags {
                dt { span.flag { (words::flag_name(text, *flag)) } } dd { (words::flag_meaning(text, *flag)) }
            }
            @if visitor.principal.may(Scope::Personal) {
                dt { (text.encoder()) } dd { (session.shown_client_ip().unwrap_or("–")) }
                dt { (text.node()) } dd { (session.shown_node_ip().unwrap_or("–")) }
                dt { code { "user_args" } } dd { bdi { (session.user_args.as_deref().unwrap_or("–")) } }
            }
        }
    }
}

fn event_table<'a>(visitor: &Visitor, rows: impl Iterator<Item = &'a EventRow>) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let personal = visitor.principal.may(Scope::Personal);
    html! {
        table {
            thead { tr {
                th { (text.received()) } th { (text.event()) } th { (text.session_effect()) }
                @if personal { th { (text.session_from()) } } th { (text.by()) }
            } }
            tbody { @for row in rows { tr {
                td { (words::time(view, row.received_at)) }
                td { (event_name(view, row)) " " code.muted { (row.event) } }
                td { (effect(visitor, row)) }
                @if personal { td data-label=(text.session_from()) { (row.source_ip.as_deref().unwrap_or("–")) } }
                td data-label=(text.by()) { bdi { (row.actor.as_deref().unwrap_or("–")) } @if let Some(note) = &row.note { ": " bdi { (note) } } }
            } } }
        }
    }
}

/// An event in words; with the end time that it found or set.
fn event_name(view: View, row: &EventRow) -> Markup {
    let text = view.language;
    let name = match (row.event.as_str(), OwnEvent::from_str(&row.event)) {
        _ if row.disposition == Disposition::Released => text.session_event_released(),
        (_, Ok(OwnEvent::Superseded)) => text.session_event_superseded(),
        (_, Ok(OwnEvent::TimedOut)) => text.session_event_timed_out(),
        (_, Ok(OwnEvent::OperatorEnd)) => text.session_event_operator_end(),
        (_, Ok(OwnEvent::OperatorEndWithdrawn)) => text.session_event_withdrawn(),
        (_, Ok(OwnEvent::OperatorConfirmed)) => text.session_event_confirmed(),
        (_, Ok(OwnEvent::Listed)) => text.session_event_listed(),
        (_, Ok(OwnEvent::Unlisted)) => text.session_event_unlisted(),
        (_, Ok(OwnEvent::History)) => text.session_event_history(),
        (_, Ok(OwnEvent::Replaced)) => text.session_event_replaced(),
        ("PUBLISH", Err(_)) => text.session_event_start(),
        ("PUBLISH_DONE", Err(_)) => text.session_event_end(),
        (_, Err(_)) => text.session_event_other(),
    };
    words::fill(&name, &[words::maybe_time(view, row.ended_at)])
}

/// Whether an event counts, why not, and what to do about it.
fn effect(visitor: &Visitor, row: &EventRow) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let is_waiting = row.disposition == Disposition::Quarantined && row.released_at.is_none();
    let disposition = match (row.disposition, row.signature) {
        (Disposition::Accepted, Some(Signature::Verified)) => text.session_accepted_signed(),
        (Disposition::Accepted, Some(Signature::Unsigned)) => text.session_accepted_unsigned(),
        (Disposition::Accepted, None) => text.session_accepted(),
        (Disposition::Quarantined, _) => text.quarantined(),
        (Disposition::Released, _) => text.session_released(),
    };
    html! {
        @if is_waiting { span.flag { (disposition) } } @else { (disposition) }
        @if let Some(reason) = row.reason { " " (text.quarantine_name(reason)) }
        @if let Some(released_at) = row.released_at { p.advice { (words::fill(&text.session_released_at(), &[words::time(view, released_at)])) } }
        @if row.signature_shared_with.is_some() { p.advice { (text.session_shared_signature()) } }
        @if let Some(altered) = &row.altered { p.advice { (text.session_altered(&words::list(altered))) } }
        @if let (true, Some(reason)) = (is_waiting, row.reason) { p.advice { (text.quarantine_advice(reason)) } }
        @if is_waiting && visitor.principal.may(Scope::Admin) {
            p { a.button href=(links::release(row.event_id)) { (text.release()) } }
        }
    }
}

/// A push of which nothing was accepted: it has no session.
async fn show_quarantined_push(
    visitor: &Visitor,
    state: &AppState,
    session_id: Uuid,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let events = query::events::list_quarantined_of_push(pool, principal, session_id, MAX_EVENTS).await?;
    let newest = events.first().ok_or(ApiError::NotFound("session"))?;
    let names = (newest.domain.clone(), newest.app.clone(), newest.stream.clone());
    let StreamId(stream_id) = StreamKey { domain: names.0, app: names.1, stream: names.2 }.id();
    let is_known = query::streams::get_stream(pool, principal, stream_id).await?.is_some();
    let name = html! {
        @if is_known { a href=(links::stream(stream_id)) { bdi { (newest.stream) } } } @else { bdi { (newest.stream) } }
    };
    let content = html! {
        h1.name { (words::fill(&text.session_push_of(), &[name])) }
        p.path { bdi { (newest.domain) } " / " bdi { (newest.app) } }
        div.card.warning role="status" {
            p { (text.session_no_effect()) }
            p.hint { (text.released_counts()) }
        }
        dl.facts {
            dt { (text.push_started()) }
            dd { (words::time(view, started_at(newest.publish_timestamp))) " " code.muted { "publish_timestamp " (newest.publish_timestamp) } }
        }
        h2 { (text.callbacks()) }
        (event_table(visitor, events.iter().rev()))
    };
    Ok(layout::page(visitor, NavItem::Unlisted, &newest.stream, &content))
}
