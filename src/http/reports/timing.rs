//! How long reports take.

use std::time::Instant;

use metrics::Histogram;

use crate::telemetry::metrics::REPORT_SECONDS_BY_KIND;

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Push duration, a page of it or the whole.
    PushDuration,
    /// The sessions that count for it.
    CountedSessions,
    /// Concurrency.
    Concurrency,
    /// Push duration that is kept.
    SealedReport,
    /// What changed since it was kept.
    Difference,
    /// The dashboard's page of reports.
    Dashboard,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::PushDuration,
        Self::CountedSessions,
        Self::Concurrency,
        Self::SealedReport,
        Self::Difference,
        Self::Dashboard,
    ];

    /// The word of the label `kind`.
    fn as_str(self) -> &'static str {
        match self {
            Self::PushDuration => "push_duration",
            Self::CountedSessions => "counted_sessions",
            Self::Concurrency => "concurrency",
            Self::SealedReport => "sealed_report",
            Self::Difference => "difference",
            Self::Dashboard => "dashboard",
        }
    }

    fn seconds(self) -> Histogram {
        REPORT_SECONDS_BY_KIND.histogram_of(&[("kind", self.as_str())])
    }
}

/// A report that is being made. When it is dropped, the report is done with, whether or not it came about.
#[derive(Debug)]
pub struct Timing {
    kind: Kind,
    began: Instant,
}

impl Timing {
    /// Begins now.
    #[must_use]
    pub fn begin(kind: Kind) -> Self {
        Self { kind, began: Instant::now() }
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        self.kind.seconds().record(self.began.elapsed());
    }
}

/// Serves these times from now on, before there are any.
pub fn register_meters() {
    for kind in Kind::ALL {
        let _ = kind.seconds();
    }
}
