//! The database's clock, compared with the service's.
//!
//! The database's clock stamps the events of the log; reports, retention and inference rely on these times. While a
//! clock is wrong, or the log is ahead of it, no `as_of` may be fixed and nothing may be deleted. Receiving does not
//! depend on it.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;

use crate::platform::clock;
use crate::store;
use crate::store::moment::LogTimesRow;

/// Both clocks, read at the same time, and how far the log reaches.
#[derive(Debug, Clone, Copy)]
pub struct ClockReading {
    pub service_time: DateTime<Utc>,
    pub database_time: DateTime<Utc>,
    /// When the newest event was recorded, or the newest `as_of` that was fixed.
    pub recorded_to: DateTime<Utc>,
    /// By how much the database's clock is ahead of the service's; negative when it is behind. Zero when the round trip to
    /// the database explains the difference.
    pub offset: TimeDelta,
}

/// Why the times of the log are unreliable. Durations are in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// The two clocks differ.
    #[error("the database's clock is {} {} the service's; set both by NTP", Distance(*.0), direction_of(*.0))]
    Differs(TimeDelta),
    /// The clock was ahead when the newest events were recorded.
    #[error(
        "the log reaches {} into the future, because the clock was ahead for a while; repair the log with \
         `streamtally repair-clock`",
        Distance(*.0)
    )]
    LogAhead(TimeDelta),
}

impl ClockReading {
    /// Reads both clocks.
    pub async fn take(executor: impl PgExecutor<'_>) -> Result<Self, sqlx::Error> {
        let sent_at = clock::now();
        let LogTimesRow { database_time, recorded_to } = store::moment::get_log_times(executor).await?;
        let answered_at = clock::now();
        let offset = offset_of(database_time, sent_at, answered_at);
        Ok(Self { service_time: answered_at, database_time, recorded_to, offset })
    }

    /// By how much the log reaches ahead of the service's clock; never negative.
    pub fn log_ahead(&self) -> TimeDelta {
        (self.recorded_to - self.service_time).max(TimeDelta::zero())
    }

    /// The latest `as_of` that can be fixed.
    pub fn latest(&self) -> DateTime<Utc> {
        self.database_time.max(self.recorded_to)
    }

    /// Checks that the clocks agree, and that the log is not ahead of them.
    ///
    /// # Errors
    /// [`ClockError`] when one of them is off by more than `tolerance`.
    pub fn check(&self, tolerance: TimeDelta) -> Result<(), ClockError> {
        if self.offset.abs() > tolerance {
            Err(ClockError::Differs(self.offset))
        } else if self.log_ahead() > tolerance {
            Err(ClockError::LogAhead(self.log_ahead()))
        } else {
            Ok(())
        }
    }
}

/// The least offset of another clock that was read between two readings of this one; zero when the round trip explains it.
fn offset_of(other: DateTime<Utc>, earliest: DateTime<Utc>, latest: DateTime<Utc>) -> TimeDelta {
    if other > latest { other - latest } else { (other - earliest).min(TimeDelta::zero()) }
}

/// Displays an offset without its direction, as "1m 1s" or "2 days".
struct Distance(TimeDelta);

impl fmt::Display for Distance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.num_days().unsigned_abs() {
            0 | 1 => {
                let distance = Duration::from_secs(self.0.num_seconds().unsigned_abs());
                humantime::format_duration(distance).fmt(formatter)
            }
            days => write!(formatter, "{days} days"),
        }
    }
}

fn direction_of(offset: TimeDelta) -> &'static str {
    if offset < TimeDelta::zero() { "behind" } else { "ahead of" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("in range")
    }

    #[test]
    fn a_slow_round_trip_is_no_offset() {
        for (other, expected) in [(-5, -5), (0, 0), (10, 0), (30, 0), (31, 1), (8_640_030, 8_640_000)] {
            assert_eq!(offset_of(at(other), at(0), at(30)), TimeDelta::seconds(expected), "{other}");
        }
    }

    #[test]
    fn the_error_says_which_clock_is_ahead_and_the_offset_comes_first() {
        let tolerance = TimeDelta::minutes(1);
        let reading = |offset: i64, recorded_to: i64| ClockReading {
            service_time: at(0),
            database_time: at(offset),
            recorded_to: at(recorded_to),
            offset: TimeDelta::seconds(offset),
        };
        for (offset, recorded_to) in [(0, 0), (60, 60), (-60, -1_000_000), (0, 60)] {
            assert_eq!(reading(offset, recorded_to).check(tolerance), Ok(()), "{offset} {recorded_to}");
        }
        let words = |offset, recorded_to| reading(offset, recorded_to).check(tolerance).unwrap_err().to_string();
        assert!(words(61, 0).starts_with("the database's clock is 1m 1s ahead of the service's"));
        assert!(words(-8_640_000, 0).starts_with("the database's clock is 100 days behind"));
        assert!(words(-61, 61).starts_with("the database's clock is 1m 1s behind the service's"));
        assert!(words(0, 61).starts_with("the log reaches 1m 1s into the future"));
    }
}
