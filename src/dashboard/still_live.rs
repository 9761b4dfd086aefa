//! The form by which an operator confirms that a session is still live.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::html;

use super::draft::Draft;
use super::error::PageError;
use super::form::{self, AdminForm};
use super::layout::{self, NavItem};
use super::operator::{await_folding, find_session, read_reason, reason_field};
use super::visitor::{AdminVisitor, Visitor};
use super::{links, words};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::event_log::confirmation::{can_confirm, confirm_session};
use crate::platform::clock;
use crate::store::session::SessionRow;

#[get("/sessions/{session_id}/confirm")]
pub async fn show_confirmation(
    visitor: AdminVisitor,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let session = find_session(&visitor, &state, &session_id).await?;
    Ok(confirmation_page(&visitor, &session, &Draft::default()))
}

#[post("/sessions/{session_id}/confirm")]
pub async fn confirm(
    submitted: AdminForm,
    state: Data<AppState>,
    session_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let session = find_session(visitor, &state, &session_id).await?;
    let reason = match read_reason(&submitted, true) {
        Ok(reason) => reason,
        Err(error) => return Ok(confirmation_page(visitor, &session, &Draft::typed(&submitted, [error]))),
    };
    let actor = &visitor.principal.actor;
    let entry = confirm_session(&state.work_pool, actor, session.session_id, reason, clock::now()).await;
    await_folding(&state, &entry.map_err(ApiError::from)?).await;
    Ok(layout::redirect_to(&links::session(session.session_id)))
}

fn confirmation_page(visitor: &Visitor, session: &SessionRow, draft: &Draft) -> HttpResponse {
    let view = visitor.view;
    let text = view.language;
    let name = html! { bdi { (session.stream) } };
    let fields = html! {
        (reason_field(&text.operator_reason(), true, draft))
        p.hint { (text.operator_confirm_hint()) }
        button.primary { (text.still_live()) }
    };
    let content = html! {
        h1 { (words::fill(&text.operator_confirm_of(), &[name])) }
        p.path { bdi { (session.domain) } " / " bdi { (session.app) } " · " (words::fill(&text.operator_started(), &[words::time(view, session.started_at)])) }
        @if can_confirm(session.ended_at_source) {
            (form::form(visitor, "card", &links::session_confirmation(session.session_id), &fields))
        } @else {
            div.card role="status" { p { (text.operator_confirm_ended()) } }
        }
        p { a href=(links::session(session.session_id)) { (text.operator_back_to_session()) } }
    };
    draft.answer(layout::page(visitor, NavItem::Unlisted, &text.still_live(), &content))
}
