//! A session: every fact with its source, and its entries of the log.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::error::PageError;
use super::frame::{self, Place};
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

/// How many entries are shown.
const ENTRIES: u16 = 100;

#[get("/sessions/{session_id}")]
pub async fn show_session(
    visitor: Visitor,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let missing = || ApiError::NotFound("session");
    let session_id = Uuid::try_parse(&session_id).map_err(|_| missing())?;
    let found = query::sessions::get_session(&state.query_pool, &visitor.principal, session_id).await?;
    let (session, as_of) = found.ok_or_else(missing)?;
    let events =
        query::events::list_session_events(&state.query_pool, &visitor.principal, session_id, None, ENTRIES).await?;
    let events = events.ok_or_else(missing)?;
    let personal = visitor.principal.may(Scope::Personal);
    let content = html! {
        h1.name { "Push of " a href=(format!("{ROOT}/streams/{}", session.stream_id)) { bdi { (session.stream) } } }
        p.path { (session.domain) " / " (session.app) " · began " (words::time(session.started_at)) }
        (facts(&session, as_of, state.unconfirmed_after, personal))
        @if visitor.principal.may(Scope::Admin) {
            p { a.button href=(format!("{ROOT}/sessions/{session_id}/end")) { "Say when it ended" } }
        }
        h2 { "What was heard of it" }
        @if events.more { p.hint { "The newest " (ENTRIES) "; the API has the others." } }
        (entries(&events.rows, &visitor))
    };
    Ok(frame::page(&visitor, Place::Elsewhere, &format!("Push of {}", session.stream), &content))
}

fn facts(session: &SessionRow, as_of: DateTime<Utc>, unconfirmed_after: TimeDelta, personal: bool) -> Markup {
    let live = session.ended_at.is_none();
    let unconfirmed = is_unconfirmed(session.started_at, session.ended_at, as_of, unconfirmed_after);
    html! {
        dl.facts {
            dt { "State" }
            dd {
                (words::state(live, unconfirmed))
                @if unconfirmed { " No end came for so long that it may have been lost." }
            }
            dt { "Began" }
            dd { (words::time(session.started_at)) " (by the provider's " code { "publish_timestamp" } " " (session.publish_timestamp) ")" }
            dt { "Ended" }
            dd { (words::maybe_time(session.ended_at)) " (" (words::end_source(session.ended_at_source)) ")" }
            dt { "Lasted" }
            dd { (words::duration(duration_seconds(session.started_at, session.ended_at, as_of), live.then_some(session.started_at))) }
            dt { "Start heard" }
            dd { (words::maybe_time(session.start_received_at)) @if session.start_deliveries > 1 { ", " (session.start_deliveries) " times" } }
            dt { "End heard" }
            dd { (words::maybe_time(session.end_received_at)) @if session.end_deliveries > 1 { ", " (session.end_deliveries) " times" } }
            @for flag in &session.flags {
                dt { span.flag { (words::readable(flag.as_str())) } } dd { (words::flag(*flag)) }
            }
            @if personal {
                dt { "Encoder" } dd { (session.shown_client_ip().unwrap_or("–")) }
                dt { "Node" } dd { (session.shown_node_ip().unwrap_or("–")) }
                dt { "Arguments" } dd.long { (session.user_args.as_deref().unwrap_or("–")) }
            }
        }
    }
}

fn entries(rows: &[EventRow], visitor: &Visitor) -> Markup {
    let personal = visitor.principal.may(Scope::Personal);
    html! {
        table {
            thead { tr { th { "Received" } th { "Event" } th { "Counts" } th { "Signed" } @if personal { th { "From" } } th { "By" } } }
            tbody {
                @for row in rows {
                    tr {
                        td { (words::time(row.received_at)) }
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

/// Whether an entry counts, why not, and what can be done about it.
fn disposition(row: &EventRow, visitor: &Visitor) -> Markup {
    let waits = row.disposition == Disposition::Quarantined && row.released_at.is_none();
    html! {
        (row.disposition)
        @if let Some(reason) = row.reason { ": " (words::readable(reason.as_str())) }
        @if let Some(released_at) = row.released_at { ", released " (words::time(released_at)) }
        @if row.signature_shared_with.is_some() { p.advice { "Its signature was used by another push before." } }
        @if let Some(altered) = &row.altered { p.advice { "Not kept exactly as sent: " (words::list(altered)) "." } }
        @if let (true, Some(reason)) = (waits, row.reason) { p.advice { (advice::of_reason(reason)) } }
        @if waits && visitor.principal.may(Scope::Admin) {
            p { a.button href=(format!("{ROOT}/events/{}/release", row.event_id)) { "Let it count" } }
        }
    }
}
