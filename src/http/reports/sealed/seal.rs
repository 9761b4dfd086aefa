//! Seals a report in its own task, so that it completes even if the caller disconnects.

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::SealedReportView;
use crate::access::Principal;
use crate::api::error_responses::{CommonErrors, ConflictResponse, PayloadErrors};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, NoParameters, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::{Access, Body, Query, RequireBilling};
use crate::http::reports::close;
use crate::http::reports::parameters::{MonthSchema, ParametersView, PeriodBound, TimeZoneSchema, TimestampSchema};
use crate::http::reports::push_duration::{CountsView, PushDurationQuery};
use crate::http::reports::timing::{Kind, Timing};
use crate::model::report::{GroupBy, SealedReportStatus, WindowSize};
use crate::model::session::Renditions;
use crate::platform::clock;
use crate::report::push_duration::PushDuration;
use crate::report::sealed::{self, Label};
use crate::store::sealed_report::SealedReportRow;

/// How long a request waits for sealing. Shorter than the response timeout.
const SEALING_TIMEOUT: Duration = Duration::from_secs(10);

const RETRY_AFTER_SECONDS: &str = "5";

/// The parameters of the report, as of `/v1/reports/push-duration`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SealReport)]
#[expect(dead_code, reason = "only documents what `PushDurationQuery` reads")]
pub struct SealBody {
    /// Start of the period (inclusive): a date in the time zone, or a whole second with an offset.
    #[schema(value_type = Option<PeriodBound>)]
    from: Option<String>,
    /// End of the period (exclusive).
    #[schema(value_type = Option<PeriodBound>)]
    to: Option<String>,
    /// Instead of `from` and `to`: a month in the time zone, or `last_month`, which is the one before that of `as_of`.
    #[schema(value_type = Option<MonthSchema>)]
    month: Option<String>,
    /// The time zone of the windows and of dates in `from` and `to`.
    #[schema(value_type = Option<TimeZoneSchema>, default = "UTC")]
    time_zone: Option<String>,
    /// The windows that divide the period.
    #[schema(value_type = Option<WindowSize>, default = "none")]
    window: Option<String>,
    /// How the rows are grouped.
    #[schema(value_type = Option<GroupBy>, default = "domain")]
    group_by: Option<String>,
    /// Only this ingest domain counts.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    domain: Option<String>,
    /// Only this app counts.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    app: Option<String>,
    /// Only this stream name counts.
    #[schema(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    stream: Option<String>,
    /// Whether transcoded renditions count.
    #[schema(value_type = Option<Renditions>, default = "exclude")]
    renditions: Option<String>,
    /// The instant up to which the log counts. Default: now. Must not be in the future.
    #[schema(value_type = Option<TimestampSchema>)]
    as_of: Option<String>,
}

/// Seal a report
///
/// Computes a push duration report and stores it byte for byte, as CSV, with its SHA-256. Later events do not change it, so it
/// proves what was billed.
///
/// If this takes longer than 10 seconds, the response is 202 with the status `sealing`, and sealing continues in the
/// background, even if the caller disconnects. Get the report until its status is `sealed` or `failed`.
#[utoipa::path(
    tag = "billing",
    request_body = SealBody,
    responses(
        (
            status = 201,
            description = "Sealed",
            body = SealedReportView,
            headers(("Location" = String, description = "Path of the sealed report")),
        ),
        (
            status = 202,
            description = "Still sealing",
            body = SealedReportView,
            headers(
                ("Location" = String, description = "Path of the sealed report"),
                ("Retry-After" = u32, description = "Seconds to wait before the next request"),
            ),
        ),
        CommonErrors,
        PayloadErrors,
        ConflictResponse,
    ),
)]
#[post("/v1/sealed-reports")]
pub async fn seal_report(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    _: Query<NoParameters>,
    Body(members): Body<Map<String, Value>>,
) -> Result<HttpResponse, ApiError> {
    let sealed = seal(&state, &principal, members).await?;
    let location = (header::LOCATION, format!("/v1/sealed-reports/{}", sealed.sealed_report_id));
    let mut answer = match sealed.status {
        SealedReportStatus::Sealed => HttpResponse::Created(),
        SealedReportStatus::Sealing | SealedReportStatus::Failed => {
            let mut answer = HttpResponse::Accepted();
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
            answer
        }
    };
    Ok(answer.insert_header(location).json(SealedReportView::from(sealed)))
}

/// Computes and stores a report. After 10 s, sealing continues in the background, and the report is returned
/// unfinished.
///
/// # Errors
/// The parameters are invalid, or the report failed.
pub async fn seal(
    state: &AppState,
    principal: &Principal,
    members: Map<String, Value>,
) -> Result<SealedReportRow, ApiError> {
    let mut reader = QueryReader::of_members("/v1/sealed-reports", members);
    let PushDurationQuery { mut asked, layout } = PushDurationQuery::from_query(&mut reader);
    reader.reject_unknown()?;
    let timing = Timing::begin(Kind::SealedReport);
    let answer_at = Instant::now() + SEALING_TIMEOUT;
    let share = state.sealings.try_take(principal)?;
    asked.selection.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let cutoff = close(state, asked.as_of).await?;
    let as_of = cutoff.at;
    let parameters = ParametersView::of_push_duration(&asked.selection, layout, as_of);
    let label = Label {
        as_of,
        actor: principal.actor.name.clone(),
        visible_domains: asked.selection.visible_domains.clone(),
        parameters: json(&parameters),
    };
    let begun = sealed::begin(&state.work_pool, label, clock::now()).await?;
    let report = PushDuration::begin(state.report_pool.clone(), &asked.selection, layout, &cutoff, None);
    let pool = state.work_pool.clone();
    let sealed_report_id = begun.sealed_report_id;
    let (done, sealed) = oneshot::channel();
    tokio::spawn(async move {
        let totals = |counts| json(&CountsView::from(counts));
        let sealed = sealed::seal(&pool, sealed_report_id, report, layout.time_zone, totals).await;
        drop((timing, share));
        if let Err(Err(error)) = done.send(sealed) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, %sealed_report_id, "could not seal a report in the background: seal it again");
        }
    });
    match timeout_at(answer_at, sealed).await {
        Ok(sealed) => Ok(sealed.unwrap_or(Err(sqlx::Error::WorkerCrashed.into()))?),
        Err(_) => Ok(begun),
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
