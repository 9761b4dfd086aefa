//! The parameters of a report.

use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::model::report::{GroupBy, WindowSize};
use crate::model::session::Renditions;
use crate::store::report::ReportFilter;

/// Which pushes, in which period.
#[derive(Debug, Clone)]
pub struct ReportSelection {
    /// Start of the period (inclusive), a whole second.
    pub from: DateTime<Utc>,
    /// End of the period (exclusive), a whole second.
    pub to: DateTime<Utc>,
    pub visible_domains: Option<Vec<String>>,
    pub domain: Option<String>,
    pub app: Option<String>,
    pub stream: Option<String>,
    /// Part of the stream name, as in the live counts.
    pub search: Option<String>,
    pub renditions: Renditions,
}

impl ReportSelection {
    /// The end of the seconds that count at `as_of`: the end of the period, or the last whole second up to `as_of`.
    /// Never before the period.
    pub fn counts_until(&self, as_of: DateTime<Utc>) -> DateTime<Utc> {
        self.to.min(as_of.trunc_subsecs(0)).max(self.from)
    }

    /// The filter of the pushes that count at `as_of`.
    pub fn filter(&self, as_of: DateTime<Utc>) -> ReportFilter {
        ReportFilter {
            visible_domains: self.visible_domains.clone(),
            domain: self.domain.clone(),
            app: self.app.clone(),
            stream: self.stream.clone(),
            search: self.search.clone(),
            renditions: self.renditions,
            as_of,
        }
    }
}

/// The rows of a report of push duration: its windows and groups.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub time_zone: Tz,
    pub window: WindowSize,
    pub group_by: GroupBy,
}

/// The name of a group; `None` for names that the report does not group by. Its order is that of reports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupName {
    pub domain: Option<String>,
    pub app: Option<String>,
    pub stream: Option<String>,
}
