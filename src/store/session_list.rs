//! Lists of sessions: one query builder for every combination of filters.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::live::push_known_live_before;
use super::session::{SessionRow, select_sessions};
use crate::model::filter::SessionFilter;
use crate::model::session::{EndSource, Renditions, SessionOrder, SessionStatus, TimeField};
use crate::session::address;
use crate::session::key::{self, lowest_id_since};

/// Restricts a list of sessions to those that a caller may see, as of a time.
#[derive(Debug, Clone, Copy)]
pub struct SessionScope<'a> {
    /// The domains that the caller may access; `None`: all.
    pub visible_domains: Option<&'a [String]>,
    pub as_of: DateTime<Utc>,
    /// How long ago a live session may have started or been confirmed before it is unconfirmed.
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
///
/// Each part is read by its own index, up to a page. The newest sessions are nearly all live, which the planner cannot know: it
/// would read one table in the order of the other.
pub async fn list_sessions(
    executor: impl PgExecutor<'_>,
    scope: SessionScope<'_>,
    filter: &SessionFilter,
    page: SessionPage,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let parts = parts_of(filter);
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let limit = i64::from(page.limit);
    let (before_or_after, order) = match page.order {
        SessionOrder::NewestFirst => (" and session_id < ", " order by session_id desc limit "),
        SessionOrder::OldestFirst => (" and session_id > ", " order by session_id limit "),
    };
    let mut query = select_sessions();
    query.push("(");
    for (number, part) in parts.into_iter().enumerate() {
        query.push(if number == 0 { "(select * from " } else { " union all (select * from " });
        query.push(part.table()).push(" where true");
        push_conditions(&mut query, scope, filter, part);
        if let Some(session_id) = page.after {
            query.push(before_or_after).push_bind(session_id);
        }
        query.push(order).push_bind(limit).push(")");
    }
    query.push(") session").push(order).push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

/// The number of sessions that match.
pub async fn count_sessions(
    executor: impl PgExecutor<'_>,
    scope: SessionScope<'_>,
    filter: &SessionFilter,
) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new("select 0::bigint");
    for part in parts_of(filter) {
        query.push(" + (select count(*) from ").push(part.table()).push(" where true");
        push_conditions(&mut query, scope, filter, part);
        query.push(")");
    }
    query.build_query_scalar().fetch_one(executor).await
}

/// A part of the sessions. Those that have ended are divided by their start, relative to the period of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Live,
    /// All that have ended.
    Ended,
    /// Those that started in the period or later.
    EndedSince,
    /// Those that started in the day before the period.
    EndedDayBefore,
    /// Those that started earlier, and lasted for more than a day.
    EndedLong,
}

impl Part {
    fn table(self) -> &'static str {
        match self {
            Self::Live => "live_session",
            Self::Ended | Self::EndedSince | Self::EndedDayBefore | Self::EndedLong => "ended_session",
        }
    }
}

/// The parts that can have sessions that match. Those that may have started long before a period are in parts, each of which
/// has its own index.
fn parts_of(filter: &SessionFilter) -> Vec<Part> {
    let by_end = filter.time_field == Some(TimeField::EndedAt) && (filter.from.is_some() || filter.to.is_some());
    let may_be_live = filter.status != Some(SessionStatus::Ended) && filter.ended_at_source.is_none() && !by_end;
    let may_have_ended = filter.status != Some(SessionStatus::Live) && filter.unconfirmed != Some(true);
    let ended: &[Part] = match (filter.from, filter.at, filter.time_field.unwrap_or_default()) {
        _ if !may_have_ended => &[],
        (Some(_), None, TimeField::Overlap | TimeField::EndedAt) | (None, Some(_), _) => {
            &[Part::EndedSince, Part::EndedDayBefore, Part::EndedLong]
        }
        (Some(_), None, TimeField::StartedAt) | (Some(_), Some(_), _) | (None, None, _) => &[Part::Ended],
    };
    may_be_live.then_some(Part::Live).into_iter().chain(ended.iter().copied()).collect()
}

fn push_conditions(query: &mut QueryBuilder<Postgres>, scope: SessionScope<'_>, filter: &SessionFilter, part: Part) {
    // Names every field, so that a new one does not compile until it is added here. It needs a condition in one of the
    // functions below.
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
    push_state(query, scope, filter, part);
    push_durations(query, scope, filter, part);
    push_times(query, filter, part);
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
fn push_state(query: &mut QueryBuilder<Postgres>, scope: SessionScope<'_>, filter: &SessionFilter, part: Part) {
    for (column, value) in [
        (" and coalesce(client_address, client_ip) = ", &filter.client_ip),
        (" and coalesce(node_address, node_ip) = ", &filter.node_ip),
    ] {
        if let Some(value) = value {
            query.push(column).push_bind(address::canonical(value).into_owned());
        }
    }
    if let (Some(unconfirmed), Part::Live) = (filter.unconfirmed, part) {
        query.push(if unconfirmed { " and (" } else { " and not (" });
        push_known_live_before(query, scope.as_of - scope.unconfirmed_after);
        query.push(")");
    }
    // Here and below, conditions that follow from the filter are explicit, so that the planner can use a partial index.
    if let Some(flag) = filter.flag {
        query.push(" and cardinality(flags) > 0 and ").push_bind(flag).push(" = any (flags)");
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

/// Durations count whole seconds, so "at most n" is "less than n + 1". A live session lasts from its start to `as_of`.
fn push_durations(query: &mut QueryBuilder<Postgres>, scope: SessionScope<'_>, filter: &SessionFilter, part: Part) {
    let least = filter.min_duration_seconds.filter(|seconds| *seconds > 0);
    let less_than = filter.max_duration_seconds.map(|seconds| seconds.saturating_add(1));
    if part == Part::Live {
        let before = |seconds| {
            let time = TimeDelta::try_seconds(seconds).and_then(|length| scope.as_of.checked_sub_signed(length));
            time.unwrap_or(DateTime::<Utc>::MIN_UTC) + TimeDelta::nanoseconds(1)
        };
        if let Some(seconds) = least {
            push_started_before(query, before(seconds));
        }
        if let Some(seconds) = less_than {
            push_started_since(query, before(seconds));
        }
        return;
    }
    for (comparison, seconds) in [(" >= ", least), (" < ", less_than)] {
        if let Some(seconds) = seconds {
            query.push(" and extract(epoch from ended_at - started_at)").push(comparison).push_bind(seconds);
        }
    }
    if least.is_some_and(|seconds| seconds > 24 * 60 * 60) {
        query.push(" and ended_at - started_at > interval '24 hours'");
    }
}

/// Conditions on times, and conditions that follow from them: these give the planner a bounded range of an index.
fn push_times(query: &mut QueryBuilder<Postgres>, filter: &SessionFilter, part: Part) {
    let time_field = filter.time_field.unwrap_or_default();
    if let Some(to) = filter.to {
        if time_field == TimeField::EndedAt {
            query.push(" and ended_at < ").push_bind(to);
        }
        push_started_before(query, to);
    }
    match (filter.from, time_field) {
        (None, TimeField::Overlap | TimeField::StartedAt | TimeField::EndedAt) => {}
        (Some(from), TimeField::StartedAt) => push_started_since(query, from),
        (Some(from), TimeField::EndedAt) => {
            query.push(" and ended_at >= ").push_bind(from);
            push_started_in_part(query, from, part);
        }
        (Some(from), TimeField::Overlap) => {
            match part {
                Part::Live | Part::EndedSince => {}
                // A session of zero seconds counts as live at its start.
                Part::Ended => {
                    query.push(" and (ended_at > ").push_bind(from);
                    query.push(" or session_id >= ").push_bind(lowest_id_since(from)).push(")");
                }
                Part::EndedDayBefore | Part::EndedLong => {
                    query.push(" and ended_at > ").push_bind(from);
                }
            }
            push_started_in_part(query, from, part);
        }
    }
    if let Some(at) = filter.at {
        push_started_before(query, at + TimeDelta::nanoseconds(1));
        if part != Part::Live {
            query.push(" and ended_at > ").push_bind(at);
        }
        push_started_in_part(query, at, part);
    }
}

/// Sessions that started at a time or later: ids begin with the start.
fn push_started_since(query: &mut QueryBuilder<Postgres>, time: DateTime<Utc>) {
    query.push(" and session_id >= ").push_bind(lowest_id_since(time));
}

fn push_started_before(query: &mut QueryBuilder<Postgres>, time: DateTime<Utc>) {
    query.push(" and session_id < ").push_bind(lowest_id_since(time));
}

/// The part's condition on the start. A session that had not ended before a time started at most a day before it, or is
/// live, or lasted for more than a day.
fn push_started_in_part(query: &mut QueryBuilder<Postgres>, time: DateTime<Utc>, part: Part) {
    let day_before = time - TimeDelta::hours(24);
    match part {
        Part::Live => {}
        Part::Ended => {
            query.push(" and (session_id >= ").push_bind(lowest_id_since(day_before));
            query.push(" or ended_at - started_at > interval '24 hours' and ended_at >= ").push_bind(time).push(")");
        }
        Part::EndedSince => push_started_since(query, time),
        Part::EndedDayBefore => {
            push_started_since(query, day_before);
            push_started_before(query, time);
        }
        Part::EndedLong => {
            query.push(" and ended_at - started_at > interval '24 hours'");
            push_started_before(query, day_before);
        }
    }
}
