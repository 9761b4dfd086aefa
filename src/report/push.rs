//! A push as a report counts it.

use crate::model::report::Certainty;

/// A push as it was known at `as_of`. Times are Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    pub group: u32,
    pub stream: u32,
    pub started: i64,
    /// When it ended; `i64::MAX` while no end is known. Never before its start.
    pub ended: i64,
    pub certainty: Certainty,
}
