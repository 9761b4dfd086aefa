//! `/v1/reports/push-duration/sessions`: the sessions of a report.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::parameters::ParametersView;
use super::push_duration::{PushDurationParameters, PushDurationQuery};
use super::timing::{Kind, Timing};
use crate::api::error_responses::CommonErrors;
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::api::views::RenditionView;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::extract::{Access, RequireBilling};
use crate::model::report::Certainty;
use crate::model::session::EndSource;
use crate::query::Rows;
use crate::report::counted::{self, Counted};

/// A session that a report counts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountedSession)]
pub struct CountedView {
    /// The session.
    session_id: Uuid,
    /// The pushed stream.
    stream_id: Uuid,
    /// Ingest domain.
    domain: String,
    /// App.
    app: String,
    /// Stream name.
    stream: String,
    /// Start of the session.
    #[schema(value_type = String, format = DateTime)]
    started_at: DateTime<Utc>,
    /// End of the session as of `as_of`; null if it was live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    ended_at: Option<DateTime<Utc>>,
    /// Source of the end; null if it was live.
    #[schema(required)]
    ended_at_source: Option<EndSource>,
    /// Certainty of the seconds.
    counted_as: Certainty,
    /// Seconds of the session within the period.
    #[schema(minimum = 0)]
    counted_seconds: i64,
    /// Explanation of the end.
    explanation: &'static str,
    /// The source stream, if this is a transcoded rendition; null for a source.
    #[schema(required)]
    rendition_of: Option<RenditionView>,
}

impl From<Counted> for CountedView {
    fn from(counted: Counted) -> Self {
        let Counted { push, seconds } = counted;
        Self {
            rendition_of: RenditionView::new(&push.domain, &push.app, &push.stream, push.rendition_template),
            session_id: push.session_id,
            stream_id: push.stream_id,
            domain: push.domain,
            app: push.app,
            stream: push.stream,
            started_at: push.started_at,
            ended_at: push.ended_at,
            ended_at_source: push.ended_at_source,
            counted_as: Certainty::of(push.ended_at_source),
            counted_seconds: seconds,
            explanation: explain(push.ended_at_source),
        }
    }
}

fn explain(source: Option<EndSource>) -> &'static str {
    match source {
        Some(EndSource::Notification) => {
            "The provider reported the end: the time of its first receipt, or the expiry of its signature if earlier."
        }
        Some(EndSource::Operator) => "An operator set the end: the session's events show who and why.",
        Some(EndSource::Superseded) => {
            "No end was reported: the session ends at the start of the next push of the stream."
        }
        Some(EndSource::TimedOut) => "No end was reported in time: the session timed out.",
        None => "No end was known at as_of: the session counts until as_of or the end of the period.",
    }
}

/// A page of counted sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountedSessionPage)]
pub struct CountedPageView {
    /// The sessions, ordered by start.
    data: Vec<CountedView>,
    /// Cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    /// The parameters, including defaults.
    parameters: ParametersView,
    /// The instant up to which the log counts.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountedPlace {
    as_of: DateTime<Utc>,
    after: Uuid,
}

#[derive(Debug)]
pub struct CountedQuery {
    page: PageRequest<CountedPlace>,
    report: PushDurationQuery,
}

impl FromQuery for CountedQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query), report: PushDurationQuery::from_query(query) }
    }
}

/// List the sessions of a report
///
/// The sessions that a push duration report with the same parameters counts, with their seconds and an explanation of their
/// ends. For the sessions of one row, pass its names as `domain`, `app` and `stream`, its window as `from` and `to`, and its
/// `as_of`: the seconds add up to the `push_seconds` of the row. `window` and `group_by` have no effect.
#[utoipa::path(
    tag = "billing",
    params(PushDurationParameters, PageParameters),
    responses(
        (status = 200, description = "A page of sessions", body = CountedPageView),
        CommonErrors,
    ),
)]
#[get("/v1/reports/push-duration/sessions")]
pub async fn list_counted_sessions(
    Access { principal, .. }: Access<RequireBilling>,
    state: Data<AppState>,
    Query(CountedQuery { page, report }): Query<CountedQuery>,
) -> Result<Json<CountedPageView>, ApiError> {
    let _timing = Timing::begin(Kind::CountedSessions);
    let PushDurationQuery { mut asked, layout } = report;
    asked.selection.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let cutoff = super::close(&state, page.after.as_ref().map(|place| place.as_of).or(asked.as_of)).await?;
    let as_of = cutoff.at;
    let after = page.after.as_ref().map(|place| place.after);
    let rows =
        counted::list(&state.report_pool, &asked.selection, &cutoff, None, after, i64::from(page.limit) + 1).await?;
    let place = |row: &Counted| CountedPlace { as_of, after: row.push.session_id };
    let (data, next_cursor) = page.page(Rows::of(rows, page.limit), place, CountedView::from);
    let parameters = ParametersView::of_push_duration(&asked.selection, layout, as_of);
    Ok(Json(CountedPageView { data, next_cursor, parameters, as_of }))
}
