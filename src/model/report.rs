//! Closed sets about reports.

use super::closed_set;
use super::session::EndSource;

closed_set! {
    /// The certainty of a session's seconds.
    #[schema(as = CertaintyWord)]
    pub enum Certainty {
        /// The provider or an operator gave the end.
        Confirmed,
        /// The end is inferred.
        Estimated,
        /// No end was known.
        Open,
    }
}

impl Certainty {
    pub fn of(end: Option<EndSource>) -> Self {
        match end {
            Some(source) if source.is_confirmed() => Self::Confirmed,
            Some(_) => Self::Estimated,
            None => Self::Open,
        }
    }
}

closed_set! {
    /// Status of a sealed report.
    #[schema(as = SealedReportStatusWord)]
    pub enum SealedReportStatus {
        Sealing,
        Sealed,
        Failed,
    }
}
