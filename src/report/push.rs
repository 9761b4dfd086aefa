//! What a report knows of a push.

use crate::model::report::Certainty;

/// A push as the log told of it at the moment that a report is of. In Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// The group that it counts for, by a number.
    pub group: u32,
    /// Its stream, by a number. A stream is of one group.
    pub stream: u32,
    /// When it began.
    pub started: i64,
    /// When it ended; `i64::MAX` while no end is known. Never before it began.
    pub ended: i64,
    /// Who says so.
    pub certainty: Certainty,
}
