//! Counts of live streams and sessions.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use crate::model::filter::LiveFilter;
use crate::model::session::LiveGrouping;
use crate::store;
use crate::store::live::LiveRow;

/// How much is live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveTotals {
    /// Streams with at least one live session.
    pub live_streams: i64,
    pub live_sessions: i64,
    /// Live sessions that started so long ago that they are unconfirmed.
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
    snapshot.commit().await?;
    let mut whole = LiveTotals::default();
    for row in &rows {
        whole.add(row);
    }
    Ok(LiveCounts { whole, groups: sum_groups(rows, grouping), as_of })
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
