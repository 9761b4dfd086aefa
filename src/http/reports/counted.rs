//! `/v1/reports/push-duration/sessions`: the sessions that make up a report, one by one.

use actix_web::get;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::parameters::ParametersView;
use super::push_duration::{PushDurationParameters, PushDurationQuery};
use super::timing::{Kind, Timing};
use crate::api::error_responses::Refusals;
use crate::api::page::{PageParameters, PageRequest};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::api::views::RenditionView;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::extract::{Access, Billing};
use crate::model::report::Certainty;
use crate::model::session::EndSource;
use crate::query::Rows;
use crate::report::counted::{self, Counted};

/// A session that counts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountedSession)]
pub struct CountedView {
    /// The session.
    session_id: Uuid,
    /// The stream that was pushed.
    stream_id: Uuid,
    /// Ingest domain.
    domain: String,
    /// Application.
    app: String,
    /// Stream name.
    stream: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: DateTime<Utc>,
    /// When it ended, as was known at `as_of`; null if it was live.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    ended_at: Option<DateTime<Utc>>,
    /// Who said so; null if it was live.
    #[schema(required)]
    ended_at_source: Option<EndSource>,
    /// How sure its seconds are.
    counted_as: Certainty,
    /// The whole seconds of it that lie in the period.
    #[schema(minimum = 0)]
    counted_seconds: i64,
    /// Why its end is what it is.
    explanation: &'static str,
    /// The stream that this is a transcoded rendition of; null for a source.
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
            "The provider notified the end: it is when that was first received, or when its signature expired, whichever is earlier."
        }
        Some(EndSource::Operator) => "An operator set the end: the session's events say who did, and why.",
        Some(EndSource::Superseded) => "No end was notified: it is taken to be when the next push of the stream began.",
        Some(EndSource::TimedOut) => {
            "No end was notified for so long that it is taken to be that long after the start."
        }
        None => "No end was known at as_of: it counts until then, or until the period ends.",
    }
}

/// A page of the sessions that count.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountedSessionPage)]
pub struct CountedPageView {
    /// The sessions, by start.
    data: Vec<CountedView>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// What was asked for, with all that was left out.
    parameters: ParametersView,
    /// The moment that they are as of.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

/// Where the next page begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountedPlace {
    as_of: DateTime<Utc>,
    after: (DateTime<Utc>, Uuid),
}

/// Which sessions.
#[derive(Debug)]
pub struct CountedQuery {
    page: PageRequest<CountedPlace>,
    report: PushDurationQuery,
}

impl FromQuery for CountedQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query), report: PushDurationQuery::read(query) }
    }
}

/// List the sessions of a report
///
/// The sessions that a report of push duration with the same parameters counts, each with its seconds and why its end is
/// what it is. To open a row, ask for its names as `domain`, `app` and `stream`, for its window as `from` and `to`, and
/// with its `as_of`: the seconds add up to the row's `push_seconds`. `window` and `group_by` change nothing here.
#[utoipa::path(
    tag = "billing",
    params(PushDurationParameters, PageParameters),
    responses(
        (status = 200, description = "A page of sessions", body = CountedPageView),
        Refusals,
    ),
)]
#[get("/v1/reports/push-duration/sessions")]
pub async fn list_counted_sessions(
    Access { principal, .. }: Access<Billing>,
    state: Data<AppState>,
    Query(CountedQuery { page, report }): Query<CountedQuery>,
) -> Result<Json<CountedPageView>, ApiError> {
    let _timing = Timing::begin(Kind::CountedSessions);
    let PushDurationQuery { mut asked, layout } = report;
    asked.scope.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    let moment = super::close(&state, page.after.as_ref().map(|place| place.as_of).or(asked.as_of)).await?;
    let (as_of, after) = (moment.at, page.after.as_ref().map(|place| place.after));
    let rows = counted::list(&state.report_pool, &asked.scope, &moment, after, i64::from(page.limit) + 1).await?;
    let place = |row: &Counted| CountedPlace { as_of, after: (row.push.started_at, row.push.session_id) };
    let (data, next_cursor) = page.page(Rows::of(rows, page.limit), place, CountedView::from);
    let parameters = ParametersView::of_push_duration(&asked.scope, layout, as_of);
    Ok(Json(CountedPageView { data, next_cursor, parameters, as_of }))
}
