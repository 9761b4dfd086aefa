//! Counts and lists of live sessions, and lists of recent ones.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, PgPool};

use super::Rows;
use crate::access::Principal;
use crate::model::filter::LiveFilter;
use crate::model::session::{LiveGrouping, LiveOrder};
use crate::store;
use crate::store::live::{AfterSession, LiveRow, SessionSelection};
use crate::store::session::SessionRow;

/// How far back lists of ended sessions go: longer periods would read too many sessions.
pub const ENDED_PERIOD: TimeDelta = TimeDelta::hours(24);

/// How long ago the provider's list may have had a stream that it has now: some lists in succession may not be complete.
const LISTED_PERIOD: TimeDelta = TimeDelta::minutes(5);

/// How far back lists of all sessions go.
pub const STARTED_PERIOD: TimeDelta = TimeDelta::days(7);

/// How much is live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveTotals {
    /// Streams with at least one live session.
    pub live_streams: i64,
    pub live_sessions: i64,
    /// Live sessions that were last known to be live so long ago that they are unconfirmed.
    pub unconfirmed_sessions: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCounts {
    pub domain: String,
    /// The group's app, if counts are grouped by app.
    pub app: Option<String>,
    pub counts: LiveTotals,
}

/// Counts of live streams and sessions, as of a time.
#[derive(Debug)]
pub struct LiveCounts {
    pub whole: LiveTotals,
    /// The counts of each group, by name, if grouped.
    pub groups: Vec<GroupCounts>,
    /// Streams that the provider lists now, and for which no callback was received.
    pub listed_only_streams: i64,
    pub as_of: DateTime<Utc>,
}

impl LiveTotals {
    fn add(&mut self, row: &LiveRow) {
        self.live_streams += row.live_streams;
        self.live_sessions += row.live_sessions;
        self.unconfirmed_sessions += row.unconfirmed_sessions;
    }
}

pub async fn count_live(
    pool: &PgPool,
    visible_domains: Option<&[String]>,
    filter: &LiveFilter,
    unconfirmed_after: TimeDelta,
    grouping: Option<LiveGrouping>,
) -> Result<LiveCounts, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let rows = store::live::count_live(&mut *snapshot, visible_domains, filter, as_of - unconfirmed_after).await?;
    let listed_only_streams = count_listed_only(&mut *snapshot, visible_domains, filter, as_of).await?;
    snapshot.commit().await?;
    Ok(LiveCounts { whole: sum(&rows), groups: sum_groups(rows, grouping), listed_only_streams, as_of })
}

/// Which sessions to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    Live(LiveOrder),
    Unconfirmed(LiveOrder),
    /// Those that ended within [`ENDED_PERIOD`], the latest first.
    Ended,
    /// Those that started within [`STARTED_PERIOD`], the newest first.
    All,
}

/// A page of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListRequest<'a> {
    pub kind: SessionKind,
    pub after: Option<&'a AfterSession>,
    pub limit: u16,
}

/// Live counts and lists of one snapshot.
#[derive(Debug)]
pub struct LiveBoard<const LISTS: usize> {
    pub totals: LiveTotals,
    /// Streams that the provider lists now, and for which no callback was received.
    pub listed_only_streams: i64,
    pub lists: [Rows<SessionRow>; LISTS],
    pub as_of: DateTime<Utc>,
}

/// Counts and lists that agree with one another.
pub async fn read_board<const LISTS: usize>(
    pool: &PgPool,
    principal: &Principal,
    unconfirmed_after: TimeDelta,
    filter: &LiveFilter,
    lists: [ListRequest<'_>; LISTS],
) -> Result<LiveBoard<LISTS>, sqlx::Error> {
    let visible_domains = principal.visible_domains();
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let known_live_before = as_of - unconfirmed_after;
    let rows = store::live::count_live(&mut *snapshot, visible_domains, filter, known_live_before).await?;
    let mut pages = lists.map(|_| Rows { rows: Vec::new(), more: false });
    for (page, ListRequest { kind, after, limit }) in pages.iter_mut().zip(lists) {
        let selection = match kind {
            SessionKind::Live(order) => SessionSelection::Live(order),
            SessionKind::Unconfirmed(order) => SessionSelection::Unconfirmed { known_live_before, order },
            SessionKind::Ended => SessionSelection::Ended { since: as_of - ENDED_PERIOD },
            SessionKind::All => SessionSelection::Started { since: as_of - STARTED_PERIOD },
        };
        let one_more = i64::from(limit) + 1;
        let rows =
            store::live::list_sessions(&mut *snapshot, visible_domains, filter, selection, after, one_more).await?;
        *page = Rows::of(rows, limit);
    }
    let listed_only_streams = count_listed_only(&mut *snapshot, visible_domains, filter, as_of).await?;
    snapshot.commit().await?;
    Ok(LiveBoard { totals: sum(&rows), listed_only_streams, lists: pages, as_of })
}

async fn count_listed_only(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    filter: &LiveFilter,
    as_of: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    store::poll_summary::count_listed_only_streams(executor, visible_domains, filter, as_of - LISTED_PERIOD).await
}

/// The names by which a caller may filter.
#[derive(Debug, Default)]
pub struct FilterNames {
    pub domains: BTreeSet<String>,
    pub apps: BTreeSet<String>,
}

/// The domains that are registered or live and that the caller may see, and the apps of one of them, or of all.
pub async fn list_names(
    pool: &PgPool,
    principal: &Principal,
    domain: Option<&str>,
) -> Result<FilterNames, sqlx::Error> {
    let mut names = FilterNames::default();
    let mut add = |of: String, apps: Vec<String>| {
        if domain.is_none_or(|domain| domain == of) {
            names.apps.extend(apps);
        }
        names.domains.insert(of);
    };
    for row in store::domain::list_domains(pool).await? {
        if principal.sees(&row.domain) {
            add(row.domain, row.apps.unwrap_or_default());
        }
    }
    let visible_domains = principal.visible_domains();
    let live = store::live::count_live(pool, visible_domains, &LiveFilter::default(), DateTime::UNIX_EPOCH).await?;
    for row in live {
        add(row.domain, vec![row.app]);
    }
    Ok(names)
}

fn sum(rows: &[LiveRow]) -> LiveTotals {
    let mut totals = LiveTotals::default();
    for row in rows {
        totals.add(row);
    }
    totals
}

/// Sums rows that are ordered by name.
fn sum_groups(rows: Vec<LiveRow>, grouping: Option<LiveGrouping>) -> Vec<GroupCounts> {
    let mut groups: Vec<GroupCounts> = Vec::new();
    let Some(grouping) = grouping else { return groups };
    for row in rows {
        let app = match grouping {
            LiveGrouping::Domain => None,
            LiveGrouping::DomainAndApp => Some(row.app.clone()),
        };
        match groups.last_mut() {
            Some(group) if group.domain == row.domain && group.app == app => group.counts.add(&row),
            _ => {
                let mut counts = LiveTotals::default();
                counts.add(&row);
                groups.push(GroupCounts { domain: row.domain, app, counts });
            }
        }
    }
    groups
}
