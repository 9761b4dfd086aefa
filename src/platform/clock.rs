//! The service's clock: the one place that reads it.
//!
//! Everything further in takes the time as an argument.

use chrono::{DateTime, SubsecRound, Utc};

/// Now, in whole microseconds: what the database can keep.
#[expect(clippy::disallowed_methods, reason = "this is the edge at which the clock is read")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
