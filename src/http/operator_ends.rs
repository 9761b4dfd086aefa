//! `/v1/sessions/{session_id}/end`: when a session ended, by an operator's word.

use actix_web::post;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::events::EventView;
use super::extract::{Access, Admin, Body};
use super::sessions::read_session_id;
use crate::api::error_responses::{Clash, NotThere, Refusals, TooLong};
use crate::api::problem::ApiError;
use crate::api::query_reader::NoParameters;
use crate::app::state::AppState;
use crate::event_log::operator_end;
use crate::http::extract::Query;
use crate::platform::clock;

/// The longest reason that an operator may give, in characters.
const MAX_REASON: usize = 500;

/// When a session ended, and how the operator knows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OperatorEnd)]
pub struct EndBody {
    /// When it ended: a whole second between its start and now. Null withdraws what an operator said before.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, value_type = Option<String>, format = DateTime, pattern = r"^[^.]+$")]
    ended_at: Option<DateTime<Utc>>,
    /// How the operator knows; kept as the event's `note`.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$",
        example = "the encoder's log says so"
    )]
    reason: String,
}

/// Say when a session ended, or withdraw that
///
/// Appends an `OPERATOR_END` or `OPERATOR_END_WITHDRAWN` event, which is given back. An operator's end beats every other.
#[utoipa::path(
    tag = "administration",
    params(("session_id" = Uuid, Path, description = "The session's id")),
    request_body = EndBody,
    responses(
        (status = 200, description = "It is said: the event", body = EventView),
        Refusals,
        NotThere,
        Clash,
        TooLong,
    ),
)]
#[post("/v1/sessions/{session_id}/end")]
pub async fn end_session(
    Access { principal, .. }: Access<Admin>,
    state: Data<AppState>,
    session_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<EndBody>,
) -> Result<Json<EventView>, ApiError> {
    let session_id = read_session_id(&session_id)?;
    if body.reason.is_empty() {
        return Err(ApiError::invalid("reason", "is empty"));
    }
    check_reason(&body.reason)?;
    let actor = &principal.actor;
    let event =
        operator_end::set_end(&state.work_pool, actor, session_id, body.ended_at, body.reason, clock::now()).await?;
    state.appended.notify_one();
    Ok(Json(EventView::new(event, &principal)))
}

/// Whether a reason can be kept.
pub(crate) fn check_reason(reason: &str) -> Result<(), ApiError> {
    if reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
        let reason = format!("must have at most {MAX_REASON} characters, no control characters");
        return Err(ApiError::invalid("reason", reason));
    }
    Ok(())
}
