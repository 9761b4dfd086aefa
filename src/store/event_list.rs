//! Lists of events: one query builder for every combination of filters.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::event::EventRow;
use crate::model::event::Disposition;
use crate::model::filter::EventFilter;

/// The cursor of an event in the list: its recorded time, shard and position.
pub type EventPlace = (DateTime<Utc>, i16, i64);

/// The events that match the filter, newest first, after a cursor, at most `limit`.
pub async fn list_events(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    filter: &EventFilter,
    after: Option<EventPlace>,
    limit: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    // Named, like the columns of sessions.
    let mut query = QueryBuilder::new(
        "select shard, position, event_id, session_id, domain, app, stream, publish_timestamp, event, received_at, recorded_at,
             disposition, reason, released_at, ended_at, original_event_id, signature, key_id, auth_timestamp,
             signature_shared_with, altered, retried, actor, note, client_ip, node_ip, source_ip, user_args
         from (",
    );
    for (number, part) in ListSource::of(filter).iter().enumerate() {
        query.push(if number == 0 { "(" } else { " union all (" });
        query.push(
            "select entry.*, (select release.recorded_at from log_entry release
                 where release.shard = entry.shard and release.original_event_id = entry.event_id
                     and entry.disposition = 'quarantined' limit 1) as released_at
             from log_entry entry where true",
        );
        part.push_condition(&mut query, filter);
        push_conditions(&mut query, visible_domains, filter);
        if let Some((recorded_at, shard, position)) = after {
            query.push(" and (recorded_at, shard, position) < (").push_bind(recorded_at);
            query.push(", ").push_bind(shard).push(", ").push_bind(position).push(")");
        }
        query.push(" order by recorded_at desc, shard desc, position desc limit ").push_bind(limit).push(")");
    }
    query.push(") entry order by recorded_at desc, shard desc, position desc limit ").push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

/// A part of the log that one index finds. The parts of one list are disjoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListSource {
    /// The whole log.
    Whole,
    /// Events recorded within an hour of receipt.
    Punctual,
    /// All other events.
    Late,
    /// Folded events, by the sessions of a stream.
    OfStream,
    /// Events that are not folded.
    Unfolded,
}

impl ListSource {
    /// The parts that together contain every match.
    fn of(filter: &EventFilter) -> &'static [Self] {
        match (&filter.stream, filter.to) {
            (Some(_), _) => &[Self::OfStream, Self::Unfolded],
            (None, Some(_)) => &[Self::Punctual, Self::Late],
            (None, None) => &[Self::Whole],
        }
    }

    fn push_condition(self, query: &mut QueryBuilder<Postgres>, filter: &EventFilter) {
        match self {
            Self::Whole => {}
            Self::Punctual => {
                query.push(" and recorded_at - received_at <= interval '1 hour'");
                if let Some(to) = filter.to {
                    query.push(" and recorded_at <= ").push_bind(to + TimeDelta::hours(1));
                }
            }
            Self::Late => {
                query.push(" and recorded_at - received_at > interval '1 hour'");
            }
            Self::OfStream => push_sessions_of_stream(query, filter),
            Self::Unfolded => {
                query.push(
                    " and exists (select from fold_progress folded
                         where folded.shard = entry.shard and folded.position < entry.position)
                       and recorded_at >= (select min(recorded_at) from fold_progress)",
                );
            }
        }
    }
}

/// Finds events by their sessions: every folded event has a session row.
fn push_sessions_of_stream(query: &mut QueryBuilder<Postgres>, filter: &EventFilter) {
    let names = |query: &mut QueryBuilder<Postgres>, table: &str| {
        for (column, value) in [("domain", &filter.domain), ("app", &filter.app), ("stream", &filter.stream)] {
            if let Some(value) = value {
                query.push(" and ").push(table).push(".").push(column).push(" = ").push_bind(value.clone());
            }
        }
    };
    query.push(
        " and position <= (select folded.position from fold_progress folded where folded.shard = entry.shard)
          and (shard, session_id) in (
             select seen.shard, seen.session_id from stream named
             join stream_session seen on seen.stream_id = named.stream_id and seen.shard = named.shard
                 and seen.status <> 'unseen'
             where true",
    );
    names(query, "named");
    query.push(
        " union all select unseen.shard, unseen.session_id from stream_session unseen where unseen.status = 'unseen'",
    );
    names(query, "unseen");
    query.push(")");
}

fn push_conditions(query: &mut QueryBuilder<Postgres>, visible_domains: Option<&[String]>, filter: &EventFilter) {
    if let Some(domains) = visible_domains {
        query.push(" and domain = any (").push_bind(domains.to_vec()).push(")");
    }
    for (column, value) in [
        (" and domain = ", &filter.domain),
        (" and app = ", &filter.app),
        (" and stream = ", &filter.stream),
        (" and event = ", &filter.event),
    ] {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    if let (Some(domain), None) = (&filter.domain, &filter.stream) {
        // A misspelled domain must not cause a search of the whole log.
        query.push(" and (exists (select 1 from ingest_domain where domain = ").push_bind(domain.clone());
        for status in ["<> 'unseen'", "= 'unseen'"] {
            query.push(") or exists (select 1 from stream_session where status ").push(status);
            query.push(" and domain = ").push_bind(domain.clone());
        }
        query.push("))");
    }
    // Here and below, conditions that follow from the filter are explicit, so that the planner can use partial indexes.
    if filter.event.as_deref().is_some_and(|event| event != "PUBLISH" && event != "PUBLISH_DONE") {
        query.push(" and event not in ('PUBLISH', 'PUBLISH_DONE')");
    }
    if let Some(reason) = filter.reason {
        query.push(" and reason = ").push_bind(reason);
        query.push(" and (disposition = 'quarantined' or original_event_id is not null)");
    }
    if let Some(disposition) = filter.disposition {
        query.push(" and disposition = '").push(disposition).push("'");
        if disposition == Disposition::Released {
            query.push(" and original_event_id is not null");
        }
    }
    if let Some(from) = filter.from {
        // No event is recorded before it is received. With a day of clock skew allowed, this excludes older months.
        query.push(" and recorded_at >= ").push_bind(from - TimeDelta::days(1));
    }
    for (comparison, time) in [(" and received_at >= ", filter.from), (" and received_at < ", filter.to)] {
        if let Some(time) = time {
            query.push(comparison).push_bind(time);
        }
    }
}
