//! `/v1/events/release`: an operator releases all callbacks that were quarantined for one reason.

use actix_web::post;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{Access, Body, RequireAdmin};
use super::operator_ends::check_note;
use crate::api::error_responses::{CommonErrors, PayloadErrors};
use crate::api::problem::ApiError;
use crate::api::query_reader::{MAX_TEXT, NoParameters};
use crate::app::state::AppState;
use crate::event_log::release::{self, BulkRelease, MAX_OF_REQUEST};
use crate::http::extract::Query;
use crate::model::event::QuarantineReason;
use crate::model::parameter;
use crate::platform::clock;
use crate::store::release::ReleaseSelection;

/// Which quarantined callbacks to release, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkRelease)]
pub struct BulkReleaseBody {
    /// Exact ingest domain.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "push.example.com")]
    domain: String,
    /// Why the callbacks were quarantined.
    reason: QuarantineReason,
    /// The operator's reason, stored as the `note` of each event.
    #[schema(max_length = 500, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "our clock was wrong")]
    note: Option<String>,
    /// Start of the period of receipt (inclusive).
    #[serde(deserialize_with = "parameter::deserialize")]
    #[schema(value_type = String, format = DateTime)]
    from: DateTime<Utc>,
    /// End of the period of receipt (exclusive).
    #[serde(deserialize_with = "parameter::deserialize")]
    #[schema(value_type = String, format = DateTime)]
    to: DateTime<Utc>,
    /// Only count the callbacks.
    #[serde(default)]
    dry_run: bool,
}

/// What was released.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkReleased)]
pub struct BulkReleasedView {
    /// Whether the callbacks were only counted.
    dry_run: bool,
    /// Matching callbacks that were not released before this request.
    #[schema(minimum = 0)]
    matching: i64,
    /// Callbacks that this request released.
    #[schema(minimum = 0)]
    released: i64,
}

impl BulkReleaseBody {
    fn check(&self) -> Result<(), ApiError> {
        let length = self.domain.chars().count();
        if length == 0 || length > MAX_TEXT || self.domain.chars().any(char::is_control) {
            let problem = format!("must have 1 to {MAX_TEXT} characters and no control characters");
            return Err(ApiError::invalid("domain", problem));
        }
        if self.from >= self.to {
            return Err(ApiError::invalid("to", "must be later than from"));
        }
        self.note.as_deref().map_or(Ok(()), |note| check_note("note", note))
    }
}

/// Release all callbacks that were quarantined for a reason
///
/// Appends a `RELEASED` event for each callback of the domain that was quarantined for this reason, was received in the period,
/// and is not released yet, in the order of receipt. Each then counts as if it had been accepted on arrival.
///
/// One request releases at most 10,000 callbacks, the oldest. Repeat it while `matching` is greater than `released`. The same
/// after an error: what was released stays released, and is not released again.
#[utoipa::path(
    tag = "administration",
    request_body = BulkReleaseBody,
    responses(
        (status = 200, description = "The numbers of callbacks", body = BulkReleasedView),
        CommonErrors,
        PayloadErrors,
    ),
)]
#[post("/v1/events/release")]
pub async fn release_events(
    Access { principal, .. }: Access<RequireAdmin>,
    state: Data<AppState>,
    _: Query<NoParameters>,
    Body(body): Body<BulkReleaseBody>,
) -> Result<Json<BulkReleasedView>, ApiError> {
    body.check()?;
    let BulkReleaseBody { domain, reason, note, from, to, dry_run } = body;
    let selection = ReleaseSelection { domain, reason, from, to };
    if dry_run {
        let matching = release::count_selection(&state.work_pool, &selection).await?;
        return Ok(Json(BulkReleasedView { dry_run, matching, released: 0 }));
    }
    let request = BulkRelease { selection, note, limit: MAX_OF_REQUEST };
    let result = release::release_selection(&state.work_pool, &principal.actor, request, clock::now()).await;
    // Also after an error: some may be released.
    state.appended.notify_one();
    let result = result?;
    Ok(Json(BulkReleasedView { dry_run, matching: result.matching, released: result.released }))
}
