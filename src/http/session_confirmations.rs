//! `/v1/sessions/{session_id}/confirm`: an operator confirms that a session is still live.

use actix_web::post;
use actix_web::web::{Data, Json, Path};
use serde::Deserialize;
use utoipa::ToSchema;

use super::events::EventView;
use super::extract::{Access, Body, RequireAdmin};
use super::operator_ends::check_reason;
use crate::api::error_responses::{CommonErrors, ConflictResponse, NotFoundResponse, PayloadErrors};
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::NoParameters;
use crate::app::state::AppState;
use crate::event_log::confirmation;
use crate::http::extract::Query;
use crate::platform::clock;

/// Why the operator knows that the session is live.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionConfirmation)]
pub struct ConfirmationBody {
    /// The operator's reason, stored as the event's `note`.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$",
        example = "the encoder is still sending"
    )]
    reason: String,
}

/// Confirm that a session is still live
///
/// Appends an `OPERATOR_CONFIRMED` event and returns it. The session then becomes unconfirmed, or times out, only when the
/// time for that has passed since the confirmation. A session that has timed out is live again. 409 if it has ended otherwise.
#[utoipa::path(
    tag = "administration",
    params(("session_id" = Uuid, Path, description = "The ID of the session")),
    request_body = ConfirmationBody,
    responses(
        (status = 200, description = "The recorded event", body = EventView),
        CommonErrors,
        NotFoundResponse,
        ConflictResponse,
        PayloadErrors,
    ),
)]
#[post("/v1/sessions/{session_id}/confirm")]
pub async fn confirm_session(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    session_id: Path<String>,
    _: Query<NoParameters>,
    Body(body): Body<ConfirmationBody>,
) -> Result<Json<EventView>, ApiError> {
    let session_id = parse_id(&session_id, "session")?;
    check_reason(&body.reason)?;
    let actor = &principal.actor;
    let event = confirmation::confirm_session(&state.work_pool, actor, session_id, body.reason, clock::now()).await?;
    state.appended.notify_one();
    Ok(Json(EventView::new(event, &principal)))
}
