//! The duration of reports, as a metric.

use std::time::Instant;

use metrics::Histogram;

use crate::model::closed_set;
use crate::telemetry::metrics::REPORT_SECONDS_BY_KIND;

closed_set! {
    /// The value of the label `kind`.
    pub enum Kind {
        PushDuration,
        CountedSessions,
        Sessions,
        Concurrency,
        SealedReport,
        Difference,
        Dashboard,
    }
}

impl Kind {
    fn seconds(self) -> Histogram {
        REPORT_SECONDS_BY_KIND.histogram_of(&[("kind", self.as_str())])
    }
}

/// Records the duration when it is dropped, even if the report fails.
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
