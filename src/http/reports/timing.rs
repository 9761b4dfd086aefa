//! The duration of reports, as a metric.

use std::time::Instant;

use metrics::Histogram;

use crate::telemetry::metrics::REPORT_SECONDS_BY_KIND;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    PushDuration,
    CountedSessions,
    Concurrency,
    SealedReport,
    Difference,
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

    /// The value of the label `kind`.
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

/// Records the duration when it is dropped, also if the report fails.
#[derive(Debug)]
pub struct Timing {
    kind: Kind,
    began: Instant,
}

impl Timing {
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

/// Exports the histograms before the first report.
pub fn initialize_metrics() {
    for kind in Kind::ALL {
        let _ = kind.seconds();
    }
}
