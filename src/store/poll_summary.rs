//! What the provider's lists show in sum: how domains are read, and how often the lists and the callbacks disagree.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::live::push_search;
use crate::model::filter::LiveFilter;
use crate::model::polling::{PollMode, PollOutcome};

/// How the lists of a polled domain are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolledDomainRow {
    pub domain: String,
    pub poll_mode: PollMode,
    /// When the domain's settings were changed last.
    pub updated_at: DateTime<Utc>,
    /// When the last list began that was complete.
    pub complete_at: Option<DateTime<Utc>>,
    /// When the last list began, and how it was read.
    pub begun_at: Option<DateTime<Utc>>,
    pub outcome: Option<PollOutcome>,
    pub error_code: Option<String>,
    pub mass_absence: bool,
}

/// The domains that are polled, of these or of all, by name.
pub async fn list_polled_domains(
    executor: impl PgExecutor<'_>,
    domains: Option<&[String]>,
) -> Result<Vec<PolledDomainRow>, sqlx::Error> {
    sqlx::query_as!(
        PolledDomainRow,
        r#"select ingest_domain.domain, poll_mode, updated_at, complete.begun_at as "complete_at?",
               newest.begun_at as "begun_at?", newest.outcome as "outcome?: PollOutcome", newest.error_code,
               coalesce(newest.mass_absence, false) as "mass_absence!"
           from ingest_domain
           left join lateral (
               select * from poll where poll.domain = ingest_domain.domain order by begun_at desc limit 1
           ) newest on true
           left join lateral (
               select begun_at from poll where poll.domain = ingest_domain.domain and outcome = 'complete'
               order by begun_at desc limit 1
           ) complete on true
           where poll_mode <> 'off' and ($1::text[] is null or ingest_domain.domain = any ($1))
           order by ingest_domain.domain"#,
        domains
    )
    .fetch_all(executor)
    .await
}

/// How many differences a domain has that no event of the log has settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferenceCountRow {
    pub domain: String,
    pub count: i64,
    pub last_seen_at: DateTime<Utc>,
}

/// The open differences that were seen at a time or later, of these domains or of all, by the name of the domain.
pub async fn count_open_differences(
    executor: impl PgExecutor<'_>,
    domains: Option<&[String]>,
    since: DateTime<Utc>,
) -> Result<Vec<DifferenceCountRow>, sqlx::Error> {
    sqlx::query_as!(
        DifferenceCountRow,
        r#"select domain, count(*) as "count!", max(last_seen_at) as "last_seen_at!" from poll_difference
           where not repaired and last_seen_at >= $2 and ($1::text[] is null or domain = any ($1))
           group by domain order by domain"#,
        domains,
        since
    )
    .fetch_all(executor)
    .await
}

/// When the list last contained a session, as far as that is stored.
pub async fn get_last_listed_at(
    executor: impl PgExecutor<'_>,
    session_id: Uuid,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select last_listed_at from poll_sighting where session_id = $1", session_id)
        .fetch_optional(executor)
        .await
}

/// The streams of polled domains that the list had at a time or later, and for which no callback was received. A list
/// names no template: whether such a stream is a rendition is not known.
pub async fn count_listed_only_streams(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    filter: &LiveFilter,
    since: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    // From the domains, so that the index on domain and time is of use.
    let mut query = QueryBuilder::<Postgres>::new(
        "select count(distinct (domain, app, stream)) from ingest_domain join poll_difference using (domain)
         where poll_mode <> 'off' and kind = 'unknown_push' and last_seen_at >= ",
    );
    query.push_bind(since);
    if let Some(domains) = visible_domains {
        query.push(" and domain = any (").push_bind(domains.to_vec()).push(")");
    }
    for (column, value) in [(" and domain = ", &filter.domain), (" and app = ", &filter.app)] {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    push_search(&mut query, "stream", filter.search.as_deref());
    query.build_query_scalar().fetch_one(executor).await
}
