//! How many requests an account may send, and for how long they are paused after failures.
//!
//! Pure: times are those of a clock that never jumps.

use std::collections::VecDeque;
use std::time::Duration;

use crate::huawei::live_api::answer::Refusal;

const PERIOD: Duration = Duration::from_mins(1);

/// At most this many requests in any minute.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    /// When the last requests were sent, the oldest first.
    sent: VecDeque<Duration>,
}

impl Budget {
    pub fn new(most: usize) -> Self {
        Self { most, sent: VecDeque::new() }
    }

    /// Takes a request at `now`.
    ///
    /// # Errors
    /// How long to wait: no request is left.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        while self.sent.front().is_some_and(|oldest| *oldest + PERIOD <= now) {
            self.sent.pop_front();
        }
        if self.sent.len() >= self.most {
            let free_at = self.sent.front().map_or(now, |oldest| *oldest + PERIOD);
            return Err(free_at.saturating_sub(now).max(Duration::from_millis(1)));
        }
        self.sent.push_back(now);
        Ok(())
    }
}

/// For how long requests are paused the first time, and at most.
const AFTER_THROTTLING: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(10));
const AFTER_REJECTION: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(1));

/// Whether requests with an account are paused, because the provider throttles or rejects them. It locks a key that
/// keeps failing.
#[derive(Debug, Default)]
pub struct Rest {
    until: Duration,
    failures: u32,
}

impl Rest {
    /// Until when they are paused; `None` if they are not.
    pub fn until(&self, now: Duration) -> Option<Duration> {
        Some(self.until).filter(|until| *until > now)
    }

    /// The provider has answered.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// The provider has rejected a request. `asked` is how long it asks to wait.
    pub fn fail(&mut self, refusal: Refusal, asked: Option<Duration>, now: Duration) {
        let (first, most) = match refusal {
            Refusal::Throttled => AFTER_THROTTLING,
            Refusal::Unauthorized => AFTER_REJECTION,
            // Of one domain, or of the provider as a whole: the next turn tries again.
            Refusal::NotFound | Refusal::Failed => return,
        };
        // Requests that were sent at once are refused at once.
        if now < self.until {
            return;
        }
        let pause = first.saturating_mul(1 << self.failures.min(10)).max(asked.unwrap_or_default()).min(most);
        self.failures = self.failures.saturating_add(1);
        self.until = self.until.max(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_minute_has_more_requests_than_the_budget(
            most in 1..20_usize,
            pauses in prop::collection::vec(0..20_000_u64, 1..200),
        ) {
            let mut budget = Budget::new(most);
            let mut now = Duration::ZERO;
            let mut sent = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                while let Err(wait) = budget.take(now) {
                    now += wait;
                }
                sent.push(now);
            }
            for (index, first) in sent.iter().enumerate() {
                let within = sent[index..].iter().filter(|at| **at < *first + PERIOD).count();
                prop_assert!(within <= most, "{within} of {most}");
            }
        }
    }

    #[test]
    fn an_account_rests_longer_the_more_often_it_is_refused() {
        let mut rest = Rest::default();
        let minutes = |minutes| Duration::from_mins(minutes);
        rest.fail(Refusal::Failed, None, minutes(0));
        rest.fail(Refusal::NotFound, None, minutes(0));
        assert_eq!(rest.until(minutes(0)), None);
        for (at, until) in [(0, 1), (1, 3), (3, 7), (7, 15), (15, 25), (25, 35)] {
            rest.fail(Refusal::Throttled, None, minutes(at));
            assert_eq!(rest.until(minutes(at)), Some(minutes(until)));
        }
        rest.fail(Refusal::Throttled, None, minutes(34));
        assert_eq!(rest.until(minutes(34)), Some(minutes(35)), "it was sent before");
        rest.succeed();
        rest.fail(Refusal::Throttled, Some(minutes(4)), minutes(40));
        assert_eq!(rest.until(minutes(40)), Some(minutes(44)));
        rest.succeed();
        for (at, until) in [(50, 55), (55, 65), (65, 85), (85, 125), (125, 185)] {
            rest.fail(Refusal::Unauthorized, None, minutes(at));
            assert_eq!(rest.until(minutes(at)), Some(minutes(until)));
        }
        assert_eq!(rest.until(minutes(185)), None);
    }
}
