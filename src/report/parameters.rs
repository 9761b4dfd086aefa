//! What a report is asked for, and that it says so.

use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::window::Division;
use crate::model::session::Renditions;
use crate::store::report::ReportFilter;

/// Which pushes, of which period.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Begin of the period, a whole second.
    pub from: DateTime<Utc>,
    /// End of the period, exclusive, a whole second.
    pub to: DateTime<Utc>,
    /// The domains that exist for the caller.
    pub visible_domains: Option<Vec<String>>,
    /// Exact ingest domain.
    pub domain: Option<String>,
    /// Exact application.
    pub app: Option<String>,
    /// Exact stream name.
    pub stream: Option<String>,
    /// Whether renditions count.
    pub renditions: Renditions,
}

impl Scope {
    /// The end of what counts, as of a moment: the period's, or the last whole second before it. Never before the period.
    #[must_use]
    pub fn counts_until(&self, as_of: DateTime<Utc>) -> DateTime<Utc> {
        self.to.min(as_of.trunc_subsecs(0)).max(self.from)
    }

    /// Which pushes count, as of a moment.
    #[must_use]
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

/// What is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupBy {
    /// Ingest domains.
    pub domain: bool,
    /// Applications.
    pub app: bool,
    /// Stream names.
    pub stream: bool,
}

/// How a report of push duration is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Whose hours, days and months windows are.
    pub time_zone: Tz,
    /// How the period is divided.
    pub window: Division,
    /// What is told apart.
    pub group_by: GroupBy,
}

/// The name of a group: of what is not told apart, none. Ordered as reports are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupName {
    /// Ingest domain.
    pub domain: Option<String>,
    /// Application.
    pub app: Option<String>,
    /// Stream name.
    pub stream: Option<String>,
}
