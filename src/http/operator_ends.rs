//! `/v1/sessions/{session_id}/end`: an operator sets or clears the end time of a session.

use actix_web::post;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::events::EventView;
use super::extract::{Access, Body, RequireAdmin};
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse, PayloadErrors};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::NoParameters;
use crate::app::state::AppState;
use crate::event_log::operator_end;
use crate::http::extract::Query;
use crate::platform::clock;

const MAX_NOTE_CHARACTERS: usize = 500;

/// The end time of a session, and the reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OperatorEnd)]
pub struct EndBody {
    /// End time: a whole second between the start and now. Null clears an end time that an operator set.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, value_type = Option<String>, format = DateTime, pattern = r"^[^.]+$")]
    ended_at: Option<DateTime<Utc>>,
    /// The operator's reason, stored as the event's `note`.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$",
        example = "the encoder's log says so"
    )]
    reason: String,
}

/// Set or clear a session's end time
///
/// Appends an `OPERATOR_END` or `OPERATOR_END_WITHDRAWN` event and returns it. An operator's end time overrides every other.
#[utoipa::path(
    tag = "administration",
    params(("session_id" = Uuid, Path, description = "The ID of the session")),
    request_body = EndBody,
    responses(
        (status = 200, description = "The recorded event", body = EventView),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[post("/v1/sessions/{session_id}/end")]
pub async fn end_session(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    session_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<EndBody>,
) -> Result<Json<EventView>, ApiError> {
    let session_id = parse_id(&session_id, "session")?;
    check_reason(&body.reason)?;
    let actor = &principal.actor;
    let event =
        operator_end::set_end(&state.work_pool, actor, session_id, body.ended_at, body.reason, clock::now()).await?;
    state.appended.notify_one();
    Ok(Json(EventView::new(event, &principal)))
}

/// Checks a reason that the operator must give.
pub(crate) fn check_reason(reason: &str) -> Result<(), ApiError> {
    if reason.is_empty() {
        return Err(ApiError::invalid("reason", "is empty"));
    }
    check_note("reason", reason)
}

/// Checks the operator's reason, which the log keeps as `note`; `name` is that of the member.
pub(crate) fn check_note(name: &str, note: &str) -> Result<(), ApiError> {
    if note.chars().count() > MAX_NOTE_CHARACTERS || note.chars().any(char::is_control) {
        let problem = format!("must have at most {MAX_NOTE_CHARACTERS} characters and no control characters");
        return Err(ApiError::invalid(name, problem));
    }
    Ok(())
}
