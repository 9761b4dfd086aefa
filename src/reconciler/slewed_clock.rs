//! A clock that slews instead of jumping.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

/// The clock may run faster than real time by one part in this many.
const GAIN: i32 = 10;

/// Follows the system clock, but runs at most a tenth faster than real time. A system clock that jumps ahead therefore
/// does not time out sessions at once, and a clock that was corrected is followed after a while.
#[derive(Debug)]
pub struct SlewedClock {
    /// The latest time that the clock may show.
    ceiling: DateTime<Utc>,
    read_at: Instant,
}

impl SlewedClock {
    /// Starts at the system clock's time.
    pub fn new(system: DateTime<Utc>, at: Instant) -> Self {
        Self { ceiling: system, read_at: at }
    }

    /// The time to use when the system clock shows `system`; `at` is the current monotonic time.
    pub fn read(&mut self, system: DateTime<Utc>, at: Instant) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(at.saturating_duration_since(self.read_at)).unwrap_or_default();
        self.read_at = at;
        self.ceiling += passed;
        if system > self.ceiling {
            self.ceiling = system.min(self.ceiling + passed / GAIN);
        }
        system.min(self.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct World {
        start: Instant,
        passed: u64,
        clock: SlewedClock,
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("in range")
    }

    impl World {
        fn new() -> Self {
            let start = Instant::now();
            Self { start, passed: 0, clock: SlewedClock::new(at(0), start) }
        }

        /// The time shown `seconds` later, with a system clock that is off by `off`.
        fn after(&mut self, seconds: u64, off: i64) -> i64 {
            self.passed += seconds;
            let system = at(i64::try_from(self.passed).expect("small") + off);
            (self.clock.read(system, self.start + Duration::from_secs(self.passed)) - at(0)).num_seconds()
        }
    }

    const DAY: i64 = 86_400;

    #[test]
    fn it_follows_the_systems_clock_while_that_goes_right() {
        let mut world = World::new();
        assert_eq!(world.after(10, 0), 10);
        assert_eq!(world.after(3_600, 0), 3_610);
        assert_eq!(world.after(0, 0), 3_610);
    }

    #[test]
    fn a_leap_ahead_and_back_is_hardly_noticed() {
        let mut world = World::new();
        assert_eq!(world.after(100, DAY), 110);
        assert_eq!(world.after(100, DAY), 220);
        assert_eq!(world.after(100, 0), 300);
        assert_eq!(world.after(100, 0), 400);
    }

    #[test]
    fn a_leap_back_is_believed_at_once_and_so_is_the_way_forth() {
        let mut world = World::new();
        assert_eq!(world.after(100, -DAY), 100 - DAY);
        assert_eq!(world.after(100, 0), 200);
    }

    #[test]
    fn a_clock_that_was_set_right_is_believed_in_the_end() {
        let mut world = World::new();
        assert_eq!(world.after(1_000, 500), 1_100);
        assert_eq!(world.after(3_000, 500), 4_400);
        assert_eq!(world.after(1_000, 500), 5_500);
        assert_eq!(world.after(1_000, 500), 6_500);
    }
}
