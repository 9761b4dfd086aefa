//! Counts of live streams and sessions.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use crate::model::filter::LiveFilter;
use crate::model::session::Renditions;
use crate::session::key::lowest_id_since;

/// The counts of one app of a domain.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LiveRow {
    pub domain: String,
    pub app: String,
    /// Streams with at least one live session.
    pub live_streams: i64,
    pub live_sessions: i64,
    /// Live sessions that started so long ago that they are unconfirmed.
    pub unconfirmed_sessions: i64,
}

/// The counts of every app with live sessions, ordered by domain and app. Sessions that started before
/// `unconfirmed_before` are unconfirmed. Each stream belongs to one app, so the counts can be added up.
pub async fn count_live(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    filter: &LiveFilter,
    unconfirmed_before: DateTime<Utc>,
) -> Result<Vec<LiveRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select domain, app, count(distinct stream_id) as live_streams, count(*) as live_sessions,
             count(*) filter (where session_id < ",
    );
    query.push_bind(lowest_id_since(unconfirmed_before));
    query.push(") as unconfirmed_sessions from stream_session where status = 'live'");
    if let Some(domains) = visible_domains {
        query.push(" and domain = any (").push_bind(domains.to_vec()).push(")");
    }
    for (column, value) in [(" and domain = ", &filter.domain), (" and app = ", &filter.app)] {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    match filter.renditions.unwrap_or_default() {
        Renditions::Include => {}
        Renditions::Exclude => {
            query.push(" and rendition_template is null");
        }
        Renditions::Only => {
            query.push(" and rendition_template is not null");
        }
    }
    query.push(" group by domain, app order by domain, app");
    query.build_query_as().fetch_all(executor).await
}
