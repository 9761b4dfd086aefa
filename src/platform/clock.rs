//! The service's clock, and the only code that reads it. All other code takes the time as an argument.

use chrono::{DateTime, SubsecRound, Utc};

/// The current time in whole microseconds, the precision of the database.
#[expect(clippy::disallowed_methods, reason = "only this function reads the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
