//! Counts of live sessions, and lists of sessions that are live, or ended or started recently.
//!
//! All have the same conditions, so that a list has as many rows as its count says.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::session::{SessionRow, select_sessions};
use crate::model::filter::LiveFilter;
use crate::model::session::{LiveOrder, Renditions};
use crate::session::key::lowest_id_since;

/// The counts of one app of a domain.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LiveRow {
    pub domain: String,
    pub app: String,
    /// Streams with at least one live session.
    pub live_streams: i64,
    pub live_sessions: i64,
    /// Live sessions that were last known to be live so long ago that they are unconfirmed.
    pub unconfirmed_sessions: i64,
}

/// The counts of every app with live sessions, ordered by domain and app. Sessions that were last known to be live before
/// `unconfirmed_before` are unconfirmed. Each stream belongs to one app, so the counts can be added up.
pub async fn count_live(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    filter: &LiveFilter,
    unconfirmed_before: DateTime<Utc>,
) -> Result<Vec<LiveRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select domain, app, count(distinct stream_id) as live_streams, count(*) as live_sessions,
             count(*) filter (where ",
    );
    push_known_live_before(&mut query, unconfirmed_before);
    query.push(") as unconfirmed_sessions from stream_session where status = 'live'");
    push_conditions(&mut query, visible_domains, filter);
    query.push(" group by domain, app order by domain, app");
    query.build_query_as().fetch_all(executor).await
}

/// Which sessions a list has, and their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionSelection {
    Live(LiveOrder),
    /// Live, and last known to be so before a time.
    Unconfirmed {
        known_live_before: DateTime<Utc>,
        order: LiveOrder,
    },
    /// Ended at a time or later; the latest end first.
    Ended {
        since: DateTime<Utc>,
    },
    /// Started at a time or later; the newest first.
    Started {
        since: DateTime<Utc>,
    },
}

/// The cursor: what orders the previous page's last session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AfterSession {
    session_id: Uuid,
    name: (String, String, String),
    ended_at: Option<DateTime<Utc>>,
}

impl From<&SessionRow> for AfterSession {
    fn from(row: &SessionRow) -> Self {
        let name = (row.domain.clone(), row.app.clone(), row.stream.clone());
        Self { session_id: row.session_id, name, ended_at: row.ended_at }
    }
}

/// A page of sessions.
pub async fn list_sessions(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    filter: &LiveFilter,
    selection: SessionSelection,
    after: Option<&AfterSession>,
    limit: i64,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let mut query = select_sessions();
    match selection {
        SessionSelection::Live(order) => {
            query.push("stream_session where status = 'live'");
            push_conditions(&mut query, visible_domains, filter);
            push_live_order(&mut query, order, after);
        }
        SessionSelection::Unconfirmed { known_live_before, order } => {
            query.push("stream_session where status = 'live' and ");
            push_known_live_before(&mut query, known_live_before);
            push_conditions(&mut query, visible_domains, filter);
            push_live_order(&mut query, order, after);
        }
        SessionSelection::Ended { since } => {
            push_ended_since(&mut query, visible_domains, filter, since);
            if let Some(after) = after {
                query.push(" where (ended_at, session_id) < (").push_bind(after.ended_at);
                query.push(", ").push_bind(after.session_id).push(")");
            }
            query.push(" order by ended_at desc, session_id desc");
        }
        SessionSelection::Started { since } => {
            query.push("stream_session where status <> 'unseen' and session_id >= ");
            query.push_bind(lowest_id_since(since));
            push_conditions(&mut query, visible_domains, filter);
            push_live_order(&mut query, LiveOrder::NewestFirst, after);
        }
    }
    query.push(" limit ").push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

/// Sessions that started before a time, and that neither an operator nor the provider's list confirmed at that time or later.
pub fn push_known_live_before(query: &mut QueryBuilder<Postgres>, time: DateTime<Utc>) {
    query.push("session_id < ").push_bind(lowest_id_since(time));
    query.push(" and (confirmed_at is null or confirmed_at < ").push_bind(time).push(")");
}

/// The sessions that ended at a time or later. They started at most a day before it, or lasted for more than a day: each
/// case has an index.
fn push_ended_since(
    query: &mut QueryBuilder<Postgres>,
    visible_domains: Option<&[String]>,
    filter: &LiveFilter,
    since: DateTime<Utc>,
) {
    let day_before = lowest_id_since(since - TimeDelta::hours(24));
    let cases = [
        ("(select * from stream_session where session_id >= ", ""),
        (
            " union all select * from stream_session where session_id < ",
            " and ended_at - started_at > interval '24 hours'",
        ),
    ];
    for (started, lasted) in cases {
        query.push(started).push_bind(day_before).push(lasted);
        query.push(" and status = 'ended' and ended_at >= ").push_bind(since);
        push_conditions(query, visible_domains, filter);
    }
    query.push(") ended");
}

/// By id, and so by start, or by name: live sessions are few enough to be sorted.
fn push_live_order(query: &mut QueryBuilder<Postgres>, order: LiveOrder, after: Option<&AfterSession>) {
    if let Some(AfterSession { session_id, name: (domain, app, stream), .. }) = after {
        match order {
            LiveOrder::NewestFirst => query.push(" and session_id < ").push_bind(*session_id),
            LiveOrder::OldestFirst => query.push(" and session_id > ").push_bind(*session_id),
            LiveOrder::Name => {
                query.push(" and (domain, app, stream, session_id) > (").push_bind(domain.clone());
                query.push(", ").push_bind(app.clone()).push(", ").push_bind(stream.clone());
                query.push(", ").push_bind(*session_id).push(")")
            }
        };
    }
    query.push(match order {
        LiveOrder::NewestFirst => " order by session_id desc",
        LiveOrder::OldestFirst => " order by session_id",
        LiveOrder::Name => " order by domain, app, stream, session_id",
    });
}

fn push_conditions(query: &mut QueryBuilder<Postgres>, visible_domains: Option<&[String]>, filter: &LiveFilter) {
    if let Some(domains) = visible_domains {
        query.push(" and domain = any (").push_bind(domains.to_vec()).push(")");
    }
    for (column, value) in [(" and domain = ", &filter.domain), (" and app = ", &filter.app)] {
        if let Some(value) = value {
            query.push(column).push_bind(value.clone());
        }
    }
    push_search(query, "stream", filter.search.as_deref());
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

/// A part of the stream name. Only the letters A to Z match in both cases: the collation makes that independent of the
/// database's locale.
pub fn push_search(query: &mut QueryBuilder<Postgres>, column: &str, part: Option<&str>) {
    if let Some(part) = part {
        query.push(format!(" and strpos(lower({column} collate \"C\"), "));
        query.push_bind(part.to_ascii_lowercase()).push(") > 0");
    }
}
