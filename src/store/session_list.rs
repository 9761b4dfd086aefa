//! Lists of sessions: one query builder for every combination of filters.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::session::SessionRow;
use crate::model::filter::SessionFilter;
use crate::model::session::{EndSource, Renditions, SessionOrder, TimeField};
use crate::session::address;
use crate::session::key::{self, lowest_id_since};

/// Restricts a list of sessions to those that a caller may see, as of a time.
#[derive(Debug, Clone, Copy)]
pub struct SessionScope<'a> {
    /// The domains that the caller may access; `None`: all.
    pub visible_domains: Option<&'a [String]>,
    pub as_of: DateTime<Utc>,
    /// How long a session may be live before it is unconfirmed.
    pub unconfirmed_after: TimeDelta,
}

#[derive(Debug, Clone, Copy)]
pub struct SessionPage {
    pub order: SessionOrder,
    /// The last session of the page before.
    pub after: Option<Uuid>,
    pub limit: u16,
}

/// A page of the sessions that match, ordered by id, and so by start.
pub async fn list_sessions(
    executor: impl PgExecutor<'_>,
    scope: SessionScope<'_>,
    filter: &SessionFilter,
    page: SessionPage,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let mut query = QueryBuilder::new("select * from stream_session where status <> 'unseen'");
    push_conditions(&mut query, scope, filter);
    let (before_or_after, direction) = match page.order {
        SessionOrder::NewestFirst => (" and session_id < ", " desc"),
        SessionOrder::OldestFirst => (" and session_id > ", ""),
    };
    if let Some(session_id) = page.after {
        query.push(before_or_after).push_bind(session_id);
    }
    query.push(" order by session_id").push(direction);
    query.push(" limit ").push_bind(i64::from(page.limit));
    query.build_query_as().fetch_all(executor).await
}

/// The number of sessions that match.
///
/// Sessions that may have started long before a time are counted in parts, each of which has its own index.
pub async fn count_sessions(
    executor: impl PgExecutor<'_>,
    scope: SessionScope<'_>,
    filter: &SessionFilter,
) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new("select 0");
    let parts: &[ScanRange] = match (filter.from, filter.at, filter.time_field.unwrap_or_default()) {
        (Some(_), None, TimeField::Overlap) => {
            &[ScanRange::Within, ScanRange::DayBefore, ScanRange::Live, ScanRange::Long]
        }
        (Some(_), None, TimeField::EndedAt) => &[ScanRange::Within, ScanRange::DayBefore, ScanRange::Long],
        (None, Some(_), _) => &[ScanRange::DayBefore, ScanRange::Live, ScanRange::Long],
        (Some(_), None, TimeField::StartedAt) | (Some(_), Some(_), _) | (None, None, _) => &[ScanRange::Whenever],
    };
    for part in parts {
        query.push(" + (select count(*) from stream_session where status <> 'unseen'");
        push_names(&mut query, scope, filter);
        push_state(&mut query, scope, filter);
        push_durations(&mut query, scope, filter);
        push_times(&mut query, filter, *part);
        query.push(")");
    }
    query.build_query_scalar().fetch_one(executor).await
}

/// A part of the sessions, by their start. Parts are disjoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanRange {
    /// The undivided list.
    Whenever,
    /// At the start of the period or later.
    Within,
    /// In the day before the period.
    DayBefore,
    /// Earlier, and live.
    Live,
    /// Earlier, and ended more than a day after the start.
    Long,
}

fn push_conditions(query: &mut QueryBuilder<Postgres>, scope: SessionScope<'_>, filter: &SessionFilter) {
    // Names every field, so that a new one does not compile until it is added here. It needs a condition in one of the
    // functions below, which `count_sessions` calls, too.
    let SessionFilter {
        domain: _,
        app: _,
        stream: _,
        stream_prefix: _,
        stream_id: _,
        publish_timestamp: _,
        status: _,
        unconfirmed: _,
        ended_at_source: _,
        flag: _,
        client_ip: _,
        node_ip: _,
        min_duration_seconds: _,
        max_duration_seconds: _,
        renditions: _,
        from: _,
        to: _,
        time_field: _,
        at: _,
    } = filter;
    push_names(query, scope, filter);
    push_state(query, scope, filter);
    push_durations(query, scope, filter);
    push_times(query, filter, ScanRange::Whenever);
}

/// Conditions on fields that never change.
fn push_names(query: &mut QueryBuilder<Postgres>, scope: SessionScope<'_>, filter: &SessionFilter) {
    if let Some(domains) = scope.visible_domains {
        query.push(" and domain = any (").push_bind(domains.to_vec()).push(")");
    }
    for (column, value) in [(" and domain = ", &filter.domain), (" and app = ", &filter.app)] {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    push_stream_name(query, filter);
    if let Some(stream_id) = filter.stream_id {
        query.push(" and stream_id = ").push_bind(stream_id);
    }
    if let Some(publish_timestamp) = filter.publish_timestamp {
        let started_at = key::started_at(publish_timestamp);
        push_started_since(query, started_at);
        push_started_before(query, started_at + TimeDelta::seconds(1));
    }
}

/// Looks the name up among the streams, which are few: sessions have no index on it.
fn push_stream_name(query: &mut QueryBuilder<Postgres>, filter: &SessionFilter) {
    if filter.stream.is_none() && filter.stream_prefix.is_none() {
        return;
    }
    query.push(" and (stream_id, shard) in (select named.stream_id, named.shard from stream named where true");
    for (column, value) in
        [(" and domain = ", &filter.domain), (" and app = ", &filter.app), (" and stream = ", &filter.stream)]
    {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    if let Some(prefix) = &filter.stream_prefix {
        query.push(" and starts_with(stream, ").push_bind(prefix.clone()).push(")");
    }
    query.push(")");
}

/// Conditions on fields that may change.
fn push_state(query: &mut QueryBuilder<Postgres>, scope: SessionScope<'_>, filter: &SessionFilter) {
    for (column, value) in [
        (" and coalesce(client_address, client_ip) = ", &filter.client_ip),
        (" and coalesce(node_address, node_ip) = ", &filter.node_ip),
    ] {
        if let Some(value) = value {
            query.push(column).push_bind(address::canonical(value).into_owned());
        }
    }
    if let Some(status) = filter.status {
        // Not a parameter, so that the planner can use the index of live sessions.
        query.push(" and status = '").push(status).push("'");
    }
    if let Some(unconfirmed) = filter.unconfirmed {
        query.push(if unconfirmed { " and (" } else { " and not (" });
        query
            .push("status = 'live' and session_id < ")
            .push_bind(lowest_id_since(scope.as_of - scope.unconfirmed_after));
        query.push(")");
    }
    // Here too, conditions that follow from the filter are explicit.
    if let Some(flag) = filter.flag {
        query.push(" and flags <> '{}' and ").push_bind(flag).push(" = any (flags)");
    }
    if let Some(source) = filter.ended_at_source {
        query.push(" and ended_at_source = ").push_bind(source);
        if source != EndSource::Notification {
            query.push(" and ended_at_source <> 'notification'");
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
}

/// Durations count whole seconds, so "at most n" is "less than n + 1".
fn push_durations(query: &mut QueryBuilder<Postgres>, scope: SessionScope<'_>, filter: &SessionFilter) {
    let bounds = [
        (" >= ", filter.min_duration_seconds),
        (" < ", filter.max_duration_seconds.map(|seconds| seconds.saturating_add(1))),
    ];
    for (comparison, seconds) in bounds {
        if let Some(seconds) = seconds {
            query.push(" and extract(epoch from greatest(coalesce(ended_at, ").push_bind(scope.as_of);
            query.push("), started_at) - started_at)").push(comparison).push_bind(seconds);
        }
    }
    // Follows from the condition above, and lets the planner use an index, as below.
    if filter.min_duration_seconds.is_some_and(|seconds| seconds > 24 * 60 * 60) {
        query.push(" and (status = 'live' or ended_at - started_at > interval '24 hours')");
    }
}

/// Conditions on times, and conditions that follow from them: these give the planner a bounded range of an index.
fn push_times(query: &mut QueryBuilder<Postgres>, filter: &SessionFilter, begun: ScanRange) {
    if let Some(to) = filter.to {
        if filter.time_field == Some(TimeField::EndedAt) {
            query.push(" and ended_at < ").push_bind(to);
        }
        push_started_before(query, to);
    }
    if let Some(from) = filter.from {
        match filter.time_field.unwrap_or_default() {
            TimeField::Overlap => {
                match begun {
                    // A session of zero seconds counts as live at its start.
                    ScanRange::Whenever => {
                        query.push(" and (ended_at is null or ended_at > ").push_bind(from);
                        query.push(" or session_id >= ").push_bind(lowest_id_since(from)).push(")");
                    }
                    ScanRange::Within => {}
                    ScanRange::DayBefore | ScanRange::Live | ScanRange::Long => push_on_air(query, from, begun),
                }
                push_begun(query, from, begun);
            }
            TimeField::StartedAt => push_started_since(query, from),
            TimeField::EndedAt => {
                query.push(" and ended_at >= ").push_bind(from);
                push_begun(query, from, begun);
            }
        }
        if begun == ScanRange::DayBefore {
            push_started_before(query, from);
        }
    }
    if let Some(at) = filter.at {
        let begun = if filter.from.is_some() { ScanRange::Whenever } else { begun };
        push_started_before(query, at + TimeDelta::nanoseconds(1));
        push_on_air(query, at, begun);
        push_begun(query, at, begun);
    }
}

/// Sessions that started at a time or later: ids begin with the start.
fn push_started_since(query: &mut QueryBuilder<Postgres>, time: DateTime<Utc>) {
    query.push(" and session_id >= ").push_bind(lowest_id_since(time));
}

fn push_started_before(query: &mut QueryBuilder<Postgres>, time: DateTime<Utc>) {
    query.push(" and session_id < ").push_bind(lowest_id_since(time));
}

/// Sessions that had not ended at a time.
fn push_on_air(query: &mut QueryBuilder<Postgres>, moment: DateTime<Utc>, begun: ScanRange) {
    query.push(if begun == ScanRange::Long { " and (" } else { " and (ended_at is null or " });
    query.push("ended_at > ").push_bind(moment).push(")");
}

/// A session that had not ended before a time started at most a day before it, or is live, or lasted for more than a
/// day.
fn push_begun(query: &mut QueryBuilder<Postgres>, moment: DateTime<Utc>, begun: ScanRange) {
    let day_before = moment - TimeDelta::hours(24);
    match begun {
        ScanRange::Whenever => {
            query.push(" and (session_id >= ").push_bind(lowest_id_since(day_before));
            query.push(" or status = 'live' or ended_at - started_at > interval '24 hours' and ended_at >= ");
            query.push_bind(moment).push(")");
        }
        ScanRange::Within => push_started_since(query, moment),
        ScanRange::DayBefore => push_started_since(query, day_before),
        ScanRange::Live => {
            query.push(" and status = 'live'");
            push_started_before(query, day_before);
        }
        ScanRange::Long => {
            query.push(" and status = 'ended' and ended_at - started_at > interval '24 hours'");
            push_started_before(query, day_before);
        }
    }
}
