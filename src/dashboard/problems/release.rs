//! Releases all quarantined callbacks of a card: those of one domain and reason, received in a period.
//!
//! The page shows how many there are now, and releases them when that was confirmed. Its query names the callbacks, for the
//! page and for its form.

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use maud::html;

use super::super::draft::Draft;
use super::super::error::PageError;
use super::super::form::{self, AdminForm};
use super::super::layout::{self, NavItem};
use super::super::operator::{read_reason, reason_field, require_tick};
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{links, words};
use super::rejections::number_of_callbacks;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::event_log::release::{self, BulkRelease, MAX_OF_REQUEST};
use crate::http::extract::Query;
use crate::model::event::QuarantineReason;
use crate::model::parameter::Parameters;
use crate::platform::clock;
use crate::store::release::ReleaseSelection;

pub struct SelectionQuery {
    selection: Option<ReleaseSelection>,
}

impl FromQuery for SelectionQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        let domain = query.string("domain");
        let reason: Option<QuarantineReason> = query.get("reason");
        let from: Option<DateTime<Utc>> = query.get("from");
        let to: Option<DateTime<Utc>> = query.get("to");
        let selection = || Some(ReleaseSelection { domain: domain?, reason: reason?, from: from?, to: to? });
        Self { selection: selection() }
    }
}

impl SelectionQuery {
    /// # Errors
    /// The query names no callbacks, or those of a domain that the visitor may not see.
    fn of(self, visitor: &Visitor) -> Result<ReleaseSelection, ApiError> {
        let selection = self.selection.filter(|selection| visitor.principal.sees(&selection.domain));
        selection.ok_or(ApiError::NotFound("quarantined event"))
    }
}

#[get("/problems/release")]
pub async fn show_release(
    visitor: AdminVisitor,
    state: Data<AppState>,
    asked: Result<Query<SelectionQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(asked) = asked?;
    let selection = asked.of(&visitor)?;
    let waiting = release::count_selection(&state.work_pool, &selection).await?;
    Ok(release_page(&visitor, &selection, waiting, &Draft::default()))
}

#[post("/problems/release")]
pub async fn release_events(
    submitted: AdminForm,
    state: Data<AppState>,
    asked: Result<Query<SelectionQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(asked) = asked?;
    let visitor = &submitted.visitor;
    let selection = asked.of(visitor)?;
    let note = match (read_reason(&submitted, false), require_tick(&submitted)) {
        (Ok(note), Ok(())) => Some(note).filter(|note| !note.is_empty()),
        (note, tick) => {
            let draft = Draft::typed(&submitted, note.err().into_iter().chain(tick.err()));
            let waiting = release::count_selection(&state.work_pool, &selection).await?;
            return Ok(release_page(visitor, &selection, waiting, &draft));
        }
    };
    let request = BulkRelease { selection, note, limit: MAX_OF_REQUEST };
    let released = release::release_selection(&state.work_pool, &visitor.principal.actor, request, clock::now()).await;
    // Also after an error: some may be released.
    state.appended.notify_one();
    released?;
    Ok(layout::redirect_to(&links::problems()))
}

fn release_page(visitor: &Visitor, selection: &ReleaseSelection, waiting: i64, draft: &Draft) -> HttpResponse {
    let view = visitor.view;
    let text = view.language;
    let fields = html! {
        (reason_field(&text.operator_reason_optional(), false, draft))
        p.hint { (text.released_counts()) }
        @if waiting > MAX_OF_REQUEST { p.hint { (text.operator_release_most(&words::count(MAX_OF_REQUEST))) } }
        (form::confirmation(&text.operator_release_all_confirmed()))
        (draft.error("confirmed"))
        button.primary { (text.problems_release_these(&words::count(waiting.min(MAX_OF_REQUEST)))) }
    };
    let period = [words::time(view, selection.from), words::time(view, selection.to)];
    let content = html! {
        h1 { (text.operator_release_all_title()) }
        dl.facts {
            dt { (text.domain()) } dd { bdi { (selection.domain) } }
            dt { (text.operator_quarantined()) }
            dd {
                strong { (text.quarantine_name(selection.reason)) }
                p.advice { (text.quarantine_advice(selection.reason)) }
            }
            dt { (text.received()) } dd { (words::fill(&text.operator_release_period(), &period)) }
            dt { (text.operator_callbacks()) } dd { (number_of_callbacks(text, waiting)) }
        }
        @if waiting == 0 {
            div.card role="status" { p { (text.operator_release_none()) } }
        } @else {
            (form::form(visitor, "card", &links::release_all(selection), &fields))
        }
        p { a href=(links::problems()) { (text.operator_back_to_problems()) } }
    };
    draft.answer(layout::page(visitor, NavItem::Problems, &text.operator_release_all_title(), &content))
}
