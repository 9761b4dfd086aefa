//! What is live now, counted.

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
    /// Live sessions that began too long ago to be believed.
    pub unconfirmed_sessions: i64,
}

/// How much is live in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCounts {
    pub domain: String,
    /// The group's application, where these are told apart.
    pub app: Option<String>,
    pub counts: LiveTotals,
}

/// The counts of what is live.
#[derive(Debug)]
pub struct LiveCounts {
    pub whole: LiveTotals,
    /// Of each group, by name, when groups were asked for.
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

/// Counts what is live.
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

/// The sums of rows that are ordered by their names.
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
