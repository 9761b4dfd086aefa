//! The pushes that reports count, as they were known at `as_of`.
//!
//! A row that has not changed since has the answer itself: the push was unseen, live, or as it is now. Other earlier
//! outcomes are in `session_outcome`.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::live::push_search;
use crate::model::report::Certainty;
use crate::model::session::EndSource;
use crate::model::session::Renditions;
use crate::session::key::lowest_id_since;

/// Which pushes count, and as of when.
#[derive(Debug, Clone)]
pub struct ReportFilter {
    pub visible_domains: Option<Vec<String>>,
    pub domain: Option<String>,
    pub app: Option<String>,
    pub stream: Option<String>,
    /// Part of the stream name, as in the live counts.
    pub search: Option<String>,
    pub renditions: Renditions,
    /// Events that were recorded later do not count.
    pub as_of: DateTime<Utc>,
}

/// When pushes started.
#[derive(Debug, Clone, Copy)]
pub enum StartedWhen {
    /// In a period, including pushes that lasted for no second.
    Within(DateTime<Utc>, DateTime<Utc>),
    /// Before a time at which they were live.
    Before(DateTime<Utc>),
}

/// Pushes of one app or of one stream, as arrays of equal length.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PushesRow {
    pub domain: String,
    pub app: String,
    pub stream: Option<String>,
    pub stream_ids: Vec<Uuid>,
    /// The start of each, in Unix seconds.
    pub started: Vec<i64>,
    /// When each ended; `None` while it was live.
    pub ended_at: Vec<Option<DateTime<Utc>>>,
    /// Whether the end is confirmed; `None` while it was live.
    pub confirmed: Vec<Option<bool>>,
}

/// Pushes, grouped by app or by stream.
pub async fn list_pushes(
    executor: impl PgExecutor<'_>,
    filter: &ReportFilter,
    begun: StartedWhen,
    by_stream: bool,
) -> Result<Vec<PushesRow>, sqlx::Error> {
    let (name, groups) = if by_stream { ("stream", "domain, app, stream") } else { ("null::text", "domain, app") };
    let mut query = QueryBuilder::new("select domain, app, ");
    query.push(name).push(
        " as stream, array_agg(stream_id) as stream_ids, array_agg(publish_timestamp) as started,
         array_agg(ended_at) as ended_at, array_agg(ended_at_source in ('",
    );
    query.push(confirmed_sources());
    query.push("')) as confirmed from (");
    push_told(&mut query, filter, begun);
    query.push(") told where true");
    push_told_conditions(&mut query, filter, begun);
    query.push(" group by ").push(groups);
    query.build_query_as().fetch_all(executor).await
}

/// A push that a report counts.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CountedRow {
    pub session_id: Uuid,
    pub stream_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it was live.
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_at_source: Option<EndSource>,
    pub rendition_template: Option<String>,
}

/// The sources of a confirmed end, for a list of SQL texts.
fn confirmed_sources() -> String {
    let confirmed = EndSource::ALL.iter().filter(|source| source.is_confirmed());
    confirmed.map(|source| source.as_str()).collect::<Vec<_>>().join("', '")
}

/// Pushes ordered by id (and so by start), after a cursor, at most `limit`; optionally only those of a certainty.
pub async fn list_counted(
    executor: impl PgExecutor<'_>,
    filter: &ReportFilter,
    begun: StartedWhen,
    certainty: Option<Certainty>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<CountedRow>, sqlx::Error> {
    let mut query = QueryBuilder::new(
        "select session_id, stream_id, domain, app, stream, to_timestamp(publish_timestamp) as started_at, ended_at,
             ended_at_source, rendition_template from (",
    );
    push_told(&mut query, filter, begun);
    query.push(") told where true");
    push_told_conditions(&mut query, filter, begun);
    match certainty {
        None => {}
        Some(Certainty::Confirmed) => {
            query.push(" and ended_at_source in ('").push(confirmed_sources()).push("')");
        }
        Some(Certainty::Estimated) => {
            query.push(" and ended_at_source not in ('").push(confirmed_sources()).push("')");
        }
        Some(Certainty::Open) => {
            query.push(" and ended_at is null");
        }
    }
    if let Some(session_id) = after {
        query.push(" and session_id > ").push_bind(session_id);
    }
    query.push(" order by session_id limit ").push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

/// Includes the shard, so that each node of a cluster can process its own rows.
const NAMES: &str = "session.shard, session.session_id, session.stream_id, session.domain, session.app, session.stream,
    session.publish_timestamp";

/// All pushes that started then, as they were known at `as_of`; possibly with others that started before.
fn push_told(query: &mut QueryBuilder<Postgres>, filter: &ReportFilter, begun: StartedWhen) {
    let push_begun = |query: &mut QueryBuilder<Postgres>, table: &str| match begun {
        StartedWhen::Within(from, to) => {
            query.push(" and ").push(table).push(".session_id >= ").push_bind(lowest_id_since(from));
            query.push(" and ").push(table).push(".session_id < ").push_bind(lowest_id_since(to));
        }
        StartedWhen::Before(moment) => {
            query.push(" and ").push(table).push(".session_id < ").push_bind(lowest_id_since(moment));
        }
    };
    match begun {
        StartedWhen::Within(..) => {
            push_sessions(query, filter);
            push_begun(query, "session");
        }
        StartedWhen::Before(moment) => push_sessions_on_air(query, filter, moment),
    }
    query.push(" union all select ").push(NAMES);
    query.push(
        ", earlier.ended_at, earlier.ended_at_source, earlier.rendition_template
         from session_outcome earlier
         join stream_session session on session.session_id = earlier.session_id and session.shard = earlier.shard
         where earlier.known_from <= ",
    );
    query.push_bind(filter.as_of).push(" and earlier.known_until > ").push_bind(filter.as_of);
    push_begun(query, "earlier");
    push_names(query, filter);
}

/// Sessions whose own rows contain their outcome at `as_of`.
fn push_sessions(query: &mut QueryBuilder<Postgres>, filter: &ReportFilter) {
    query.push(" select ").push(NAMES);
    query
        .push(", case when session.outcome_at <= ")
        .push_bind(filter.as_of)
        .push(" then session.ended_at end as ended_at");
    query.push(", case when session.outcome_at <= ").push_bind(filter.as_of);
    query.push(" then session.ended_at_source end as ended_at_source, session.rendition_template");
    query.push(" from stream_session session where session.status <> 'unseen' and session.seen_at <= ");
    query.push_bind(filter.as_of).push(" and (session.outcome_at <= ").push_bind(filter.as_of);
    query.push(" or not session.revised)");
    push_names(query, filter);
}

/// The same for sessions that started before a time and may have been live then. A session that started more than a day
/// before is either still live, or lasted for more than a day, or its end was found more than a day after its start:
/// each case has an index.
fn push_sessions_on_air(query: &mut QueryBuilder<Postgres>, filter: &ReportFilter, moment: DateTime<Utc>) {
    let day_before = lowest_id_since(moment - TimeDelta::hours(24));
    push_sessions(query, filter);
    query.push(" and session.session_id >= ").push_bind(day_before);
    query.push(" and session.session_id < ").push_bind(lowest_id_since(moment));
    let earlier = |query: &mut QueryBuilder<Postgres>, which: &str| {
        query.push(" union all");
        push_sessions(query, filter);
        query.push(" and session.session_id < ").push_bind(day_before).push(which);
    };
    earlier(query, " and session.status = 'live'");
    earlier(query, " and session.status = 'ended' and session.ended_at - session.started_at > interval '24 hours'");
    query.push(" and session.ended_at > ").push_bind(moment);
    earlier(query, " and session.status = 'ended' and session.outcome_at - session.started_at > interval '24 hours'");
    query.push(" and session.outcome_at > ").push_bind(filter.as_of);
    query.push(" and (session.ended_at - session.started_at <= interval '24 hours' or session.ended_at <= ");
    query.push_bind(moment).push(")");
}

fn push_names(query: &mut QueryBuilder<Postgres>, filter: &ReportFilter) {
    if let Some(domains) = &filter.visible_domains {
        query.push(" and session.domain = any (").push_bind(domains.clone()).push(")");
    }
    for (column, value) in [
        (" and session.domain = ", &filter.domain),
        (" and session.app = ", &filter.app),
        (" and session.stream = ", &filter.stream),
    ] {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    push_search(query, "session.stream", filter.search.as_deref());
    if let Some(stream) = &filter.stream {
        // Sessions have no index on the stream's name; the streams, which are few, do.
        query.push(
            " and (session.stream_id, session.shard) in (select named.stream_id, named.shard from stream named
                     where named.stream = ",
        );
        query.push_bind(stream.clone()).push(")");
    }
}

/// The filter's conditions on a push as it was known at `as_of`.
fn push_told_conditions(query: &mut QueryBuilder<Postgres>, filter: &ReportFilter, begun: StartedWhen) {
    match filter.renditions {
        Renditions::Include => {}
        Renditions::Exclude => {
            query.push(" and rendition_template is null");
        }
        Renditions::Only => {
            query.push(" and rendition_template is not null");
        }
    }
    if let StartedWhen::Before(moment) = begun {
        query.push(" and (ended_at is null or ended_at > ").push_bind(moment).push(")");
    }
}
