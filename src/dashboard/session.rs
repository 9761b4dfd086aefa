//! A session: its facts with their sources, and its events.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::error::PageError;
use super::layout::{self, NavItem};
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::huawei::advice;
use crate::model::access::Scope;
use crate::model::event::{Disposition, Signature};
use crate::query;
use crate::session::lifecycle::{duration_seconds, is_unconfirmed};
use crate::store::event::EventRow;
use crate::store::session::SessionRow;

const MAX_EVENTS: u16 = 100;

#[get("/sessions/{session_id}")]
pub async fn show_session(
    visitor: Visitor,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let missing = || ApiError::NotFound("session");
    let session_id = Uuid::try_parse(&session_id).map_err(|_| missing())?;
    let found = query::sessions::get_session(&state.query_pool, &visitor.principal, session_id).await?;
    let (session, as_of) = found.ok_or_else(missing)?;
    let events =
        query::events::list_session_events(&state.query_pool, &visitor.principal, session_id, None, MAX_EVENTS).await?;
    let events = events.ok_or_else(missing)?;
    let personal = visitor.principal.may(Scope::Personal);
    let content = html! {
        h1.name { "Session of " a href=(format!("{ROOT}/streams/{}", session.stream_id)) { bdi { (session.stream) } } }
        p.path { (session.domain) " / " (session.app) " · started " (words::time(view, session.started_at)) }
        (facts(view, &session, as_of, state.unconfirmed_after, personal))
        @if visitor.principal.may(Scope::Admin) {
            p { a.button href=(format!("{ROOT}/sessions/{session_id}/end")) { "Set end time" } }
        }
        h2 { "Events" }
        @if events.more { p.hint { "The newest " (MAX_EVENTS) "; the API lists all." } }
        (event_table(&events.rows, &visitor))
    };
    Ok(layout::page(&visitor, NavItem::Unlisted, &format!("Session of {}", session.stream), &content))
}

fn facts(
    view: View,
    session: &SessionRow,
    as_of: DateTime<Utc>,
    unconfirmed_after: TimeDelta,
    personal: bool,
) -> Markup {
    let live = session.ended_at.is_none();
    let unconfirmed = is_unconfirmed(session.started_at, session.ended_at, as_of, unconfirmed_after);
    html! {
        dl.facts {
            dt { "Status" }
            dd {
                (words::state(view, live, unconfirmed))
                @if unconfirmed { " It has been live for longer than expected: the end callback may be lost." }
            }
            dt { "Started" }
            dd { (words::time(view, session.started_at)) " (the provider's " code { "publish_timestamp" } " " (session.publish_timestamp) ")" }
            dt { "Ended" }
            dd { (words::maybe_time(view, session.ended_at)) " (" (words::end_source(view.language, session.ended_at_source)) ")" }
            dt { "Duration" }
            dd { (words::lasted(view, duration_seconds(session.started_at, session.ended_at, as_of))) }
            dt { "Start received" }
            dd { (words::maybe_time(view, session.start_received_at)) @if session.start_deliveries > 1 { ", " (session.start_deliveries) " times" } }
            dt { "End received" }
            dd { (words::maybe_time(view, session.end_received_at)) @if session.end_deliveries > 1 { ", " (session.end_deliveries) " times" } }
            @for flag in &session.flags {
                dt { span.flag { (words::readable(flag.as_str())) } } dd { (words::flag_meaning(view.language, *flag)) }
            }
            @if personal {
                dt { "Encoder" } dd { (session.shown_client_ip().unwrap_or("–")) }
                dt { "Node" } dd { (session.shown_node_ip().unwrap_or("–")) }
                dt { code { "user_args" } } dd.long { (session.user_args.as_deref().unwrap_or("–")) }
            }
        }
    }
}

fn event_table(rows: &[EventRow], visitor: &Visitor) -> Markup {
    let view = visitor.view;
    let personal = visitor.principal.may(Scope::Personal);
    html! {
        table {
            thead { tr { th { "Received" } th { "Event" } th { "Disposition" } th { "Signature" } @if personal { th { "From" } } th { "By" } } }
            tbody {
                @for row in rows {
                    tr {
                        td { (words::time(view, row.received_at)) }
                        td { code { (row.event) } }
                        td { (disposition(row, visitor)) }
                        td data-label="signature" { (row.signature.map_or("–", Signature::as_str)) }
                        @if personal { td data-label="from" { (row.source_ip.as_deref().unwrap_or("–")) } }
                        td data-label="by" { bdi { (row.actor.as_deref().unwrap_or("–")) } @if let Some(note) = &row.note { ": " bdi { (note) } } }
                    }
                }
            }
        }
    }
}

/// Whether an event counts, why not, and what to do about it.
fn disposition(row: &EventRow, visitor: &Visitor) -> Markup {
    let view = visitor.view;
    let is_releasable = row.disposition == Disposition::Quarantined && row.released_at.is_none();
    html! {
        (row.disposition)
        @if let Some(reason) = row.reason { ": " (words::readable(reason.as_str())) }
        @if let Some(released_at) = row.released_at { ", released " (words::time(view, released_at)) }
        @if row.signature_shared_with.is_some() { p.advice { "Another push used the same signature before." } }
        @if let Some(altered) = &row.altered { p.advice { "Not stored exactly as sent: " (words::list(altered)) "." } }
        @if let (true, Some(reason)) = (is_releasable, row.reason) { p.advice { (advice::of_reason(reason)) } }
        @if is_releasable && visitor.principal.may(Scope::Admin) {
            p { a.button href=(format!("{ROOT}/events/{}/release", row.event_id)) { "Release" } }
        }
    }
}
