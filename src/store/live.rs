//! Counts of what is live.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::session_list::Renditions;

/// How finely counts are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// One count over everything.
    Whole,
    /// One a domain.
    Domain,
    /// One a domain and application.
    DomainAndApp,
}

/// Which sessions are counted.
#[derive(Debug, Clone)]
pub struct LiveFilter {
    /// The domains that exist for the caller.
    pub visible_domains: Option<Vec<String>>,
    /// Exact ingest domain.
    pub domain: Option<String>,
    /// Exact application.
    pub app: Option<String>,
    /// Whether renditions are counted.
    pub renditions: Renditions,
    /// Sessions that began before this are unconfirmed.
    pub unconfirmed_before: DateTime<Utc>,
}

/// The counts of one group.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LiveRow {
    /// The group's domain.
    pub domain: Option<String>,
    /// The group's application.
    pub app: Option<String>,
    /// Streams with at least one live session.
    pub live_streams: i64,
    /// Live sessions.
    pub live_sessions: i64,
    /// Live sessions that began too long ago to be believed.
    pub unconfirmed_sessions: i64,
}

/// The counts of every group that has something live, by name; of the whole, always one row.
///
/// # Errors
/// Those of the database.
pub async fn count_live(
    executor: impl PgExecutor<'_>,
    filter: &LiveFilter,
    grouping: Grouping,
) -> Result<Vec<LiveRow>, sqlx::Error> {
    let (members, grouped) = match grouping {
        Grouping::Whole => ("null::text as domain, null::text as app", ""),
        Grouping::Domain => ("domain, null::text as app", " group by domain order by domain"),
        Grouping::DomainAndApp => ("domain, app", " group by domain, app order by domain, app"),
    };
    let mut query = QueryBuilder::<Postgres>::new("select ");
    query.push(members).push(
        ", count(distinct stream_id) as live_streams, count(*) as live_sessions,
         count(*) filter (where started_at < ",
    );
    query.push_bind(filter.unconfirmed_before);
    query.push(") as unconfirmed_sessions from stream_session where status = 'live'");
    if let Some(domains) = &filter.visible_domains {
        query.push(" and domain = any (").push_bind(domains.clone()).push(")");
    }
    if let Some(domain) = &filter.domain {
        query.push(" and domain = ").push_bind(domain.clone());
    }
    if let Some(app) = &filter.app {
        query.push(" and app = ").push_bind(app.clone());
    }
    match filter.renditions {
        Renditions::Include => {}
        Renditions::Exclude => {
            query.push(" and rendition_template is null");
        }
        Renditions::Only => {
            query.push(" and rendition_template is not null");
        }
    }
    query.push(grouped);
    query.build_query_as().fetch_all(executor).await
}
