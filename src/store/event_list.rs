//! Lists of log entries: one builder for every combination of filters.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::event::EventRow;

/// What is wanted of the log. Every member narrows; `None` does not.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// The domains that exist for the caller.
    pub visible_domains: Option<Vec<String>>,
    /// Exact ingest domain.
    pub domain: Option<String>,
    /// Exact application.
    pub app: Option<String>,
    /// Exact stream name.
    pub stream: Option<String>,
    /// The provider's word, or one of ours.
    pub event: Option<String>,
    /// `accepted`, `quarantined` or `released`.
    pub disposition: Option<String>,
    /// Why it does not count, or did not.
    pub reason: Option<String>,
    /// Begin of the period of receipt, inclusive.
    pub from: Option<DateTime<Utc>>,
    /// End of the period of receipt, exclusive.
    pub to: Option<DateTime<Utc>>,
}

/// Where an entry stands in the list: when it was recorded, its shard, and its position in that.
pub type EventPlace = (DateTime<Utc>, i16, i64);

/// The entries that fit, newest first, after a place, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn list_events(
    executor: impl PgExecutor<'_>,
    filter: &EventFilter,
    after: Option<EventPlace>,
    limit: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    let mut query = QueryBuilder::new(
        "select entry.*, (select release.recorded_at from log_entry release
                where release.original_event_id = entry.event_id and entry.disposition = 'quarantined' limit 1)
             as released_at
         from log_entry entry where true",
    );
    push_conditions(&mut query, filter);
    if let Some((recorded_at, shard, position)) = after {
        query.push(" and (recorded_at, shard, position) < (").push_bind(recorded_at);
        query.push(", ").push_bind(shard).push(", ").push_bind(position).push(")");
    }
    query.push(" order by recorded_at desc, shard desc, position desc limit ").push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

fn push_conditions(query: &mut QueryBuilder<Postgres>, filter: &EventFilter) {
    if let Some(domains) = &filter.visible_domains {
        query.push(" and domain = any (").push_bind(domains.clone()).push(")");
    }
    for (column, value) in [
        (" and domain = ", &filter.domain),
        (" and app = ", &filter.app),
        (" and stream = ", &filter.stream),
        (" and event = ", &filter.event),
        (" and reason = ", &filter.reason),
    ] {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    // What follows from the filter is written out, here and below, so that the planner sees which index is enough.
    if filter.event.as_deref().is_some_and(|event| event != "PUBLISH" && event != "PUBLISH_DONE") {
        query.push(" and event not in ('PUBLISH', 'PUBLISH_DONE')");
    }
    if filter.reason.is_some() {
        query.push(" and (disposition = 'quarantined' or original_event_id is not null)");
    }
    match filter.disposition.as_deref() {
        Some("quarantined") => {
            query.push(" and disposition = 'quarantined'");
        }
        Some("released") => {
            query.push(" and disposition = 'released' and original_event_id is not null");
        }
        Some(disposition) => {
            query.push(" and disposition = ").push_bind(disposition.to_owned());
        }
        None => {}
    }
    if let Some(from) = filter.from {
        // Nothing is recorded before it is received, give or take a day between the clocks: older months are left out.
        query.push(" and recorded_at >= ").push_bind(from - TimeDelta::days(1));
    }
    for (comparison, time) in [(" and received_at >= ", filter.from), (" and received_at < ", filter.to)] {
        if let Some(time) = time {
            query.push(comparison).push_bind(time);
        }
    }
}
