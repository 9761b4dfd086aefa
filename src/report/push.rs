//! What a report knows of a push.

use crate::model::report::Certainty;

/// A push as the log told of it at the report's cutoff. In Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    pub group: u32,
    pub stream: u32,
    pub started: i64,
    /// When it ended; `i64::MAX` while no end is known. Never before it began.
    pub ended: i64,
    pub certainty: Certainty,
}
