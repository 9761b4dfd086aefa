//! Which pushes a report counts, and how it is laid out.

use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::model::report::{GroupBy, WindowSize};
use crate::model::session::Renditions;
use crate::store::report::ReportFilter;

/// Which pushes, of which period.
#[derive(Debug, Clone)]
pub struct ReportSelection {
    /// Begin of the period, a whole second.
    pub from: DateTime<Utc>,
    /// End of the period, exclusive, a whole second.
    pub to: DateTime<Utc>,
    pub visible_domains: Option<Vec<String>>,
    pub domain: Option<String>,
    pub app: Option<String>,
    pub stream: Option<String>,
    pub renditions: Renditions,
}

impl ReportSelection {
    /// The end of what counts, as of an instant: the period's, or the last whole second before it. Never before the period.
    pub fn counts_until(&self, as_of: DateTime<Utc>) -> DateTime<Utc> {
        self.to.min(as_of.trunc_subsecs(0)).max(self.from)
    }

    /// Which pushes count, as of an instant.
    pub fn filter(&self, as_of: DateTime<Utc>) -> ReportFilter {
        ReportFilter {
            visible_domains: self.visible_domains.clone(),
            domain: self.domain.clone(),
            app: self.app.clone(),
            stream: self.stream.clone(),
            renditions: self.renditions,
            as_of,
        }
    }
}

/// How a report of push duration is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub time_zone: Tz,
    pub window: WindowSize,
    pub group_by: GroupBy,
}

/// The name of a group: `None` where the report is not grouped. Ordered as reports are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupName {
    pub domain: Option<String>,
    pub app: Option<String>,
    pub stream: Option<String>,
}
