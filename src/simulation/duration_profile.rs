//! Durations of pushes and breaks, and anomalies of their callbacks.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp, LogNormal};

/// The behavior of streams of one kind. Times are in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// Median duration of pushes that are not cut short.
    pub median_seconds: f64,
    /// Standard deviation of the logarithm of durations.
    pub spread: f64,
    pub break_seconds: f64,
}

/// Typical pushes of a large platform: half an hour is usual, some last for days.
pub const USUAL: Habits = Habits { median_seconds: 3_300.0, spread: 1.5, break_seconds: 10_000.0 };

/// The share of pushes that end within a minute.
const CUT_SHORT: f64 = 0.065;

/// Of these, the share whose end arrives before the start.
const INVERTED: f64 = 0.2;

/// The share of ends that are never sent.
const LOST: f64 = 0.005;

/// The share of ends that are delayed, and the longest delay.
const LATE: f64 = 0.1;
const LATEST_MILLIS: i64 = 180_000;

/// The share of ends after which the encoder reconnects within seconds.
const RECONNECTS: f64 = 0.035;

/// The shares of callbacks that arrive twice, and thirteen times as after an outage.
const TWICE: f64 = 0.01;
const THIRTEENFOLD: f64 = 0.0005;

/// One push, and when the next begins. Times are milliseconds after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    pub length: i64,
    pub starts_told: Vec<i64>,
    /// When each delivery of its end arrives; empty if the end is lost.
    pub ends_told: Vec<i64>,
    /// When the stream's next push begins: at least two seconds after the end.
    pub next_start: i64,
}

impl Habits {
    /// A random push.
    pub fn course(&self, random: &mut impl Rng) -> Course {
        let cut_short = random.random_bool(CUT_SHORT);
        let length = if cut_short {
            random.random_range(3_000..60_000)
        } else {
            millis(self.length().sample(random)).max(60_000)
        };
        let inverted = cut_short && random.random_bool(INVERTED);
        let prompt = random.random_range(50..800);
        let start_told = if inverted { length + random.random_range(1_000..4_000) } else { prompt };
        let delay = if random.random_bool(LATE) && !inverted { LATEST_MILLIS } else { 800 };
        let end_told = length + random.random_range(50..delay);
        let lost = random.random_bool(LOST);
        let pause = if random.random_bool(RECONNECTS) {
            random.random_range(2_000..10_000)
        } else {
            2_000 + millis(self.pause().sample(random))
        };
        Course {
            length,
            starts_told: repeated(start_told, random),
            ends_told: if lost { Vec::new() } else { repeated(end_told, random) },
            next_start: length + pause,
        }
    }

    fn length(&self) -> LogNormal<f64> {
        let length = LogNormal::new(self.median_seconds.ln(), self.spread);
        length.unwrap_or_else(|_| unreachable!("habits are finite and positive"))
    }

    fn pause(&self) -> Exp<f64> {
        Exp::new(self.break_seconds.recip()).unwrap_or_else(|_| unreachable!("habits are finite and positive"))
    }
}

/// The times of a callback's deliveries: one or more.
fn repeated(first: i64, random: &mut impl Rng) -> Vec<i64> {
    let more = match random.random::<f64>() {
        share if share < THIRTEENFOLD => 12,
        share if share < THIRTEENFOLD + TWICE => 1,
        _ => 0,
    };
    let mut times = vec![first];
    times.extend((0..more).map(|_| first + random.random_range(200..30_000)));
    times
}

#[expect(clippy::cast_possible_truncation, reason = "a cast to an integer saturates")]
fn millis(seconds: f64) -> i64 {
    ((seconds * 1_000.0) as i64).min(30 * 86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    /// The courses of many pushes, with a fixed seed.
    fn courses() -> Vec<Course> {
        let mut random = StdRng::seed_from_u64(7);
        (0..100_000).map(|_| USUAL.course(&mut random)).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "for a share")]
    fn share(courses: &[Course], fits: impl Fn(&Course) -> bool) -> f64 {
        courses.iter().filter(|course| fits(course)).count() as f64 / courses.len() as f64
    }

    #[test]
    fn usual_pushes_are_as_large_platforms_see_them() {
        let courses = courses();
        let mut lengths: Vec<_> = courses.iter().map(|course| course.length / 1_000).collect();
        lengths.sort_unstable();
        let (median, mean) = (lengths[lengths.len() / 2], lengths.iter().sum::<i64>() / 100_000);
        assert!((2_800..3_200).contains(&median), "{median}");
        assert!((9_000..10_500).contains(&mean), "{mean}");
        let short = share(&courses, |course| course.length < 60_000);
        assert!((0.05..0.1).contains(&short), "{short}");
    }

    #[test]
    fn messages_go_wrong_as_often_as_they_really_do() {
        let courses = courses();
        for (what, share, range) in [
            ("lost", share(&courses, |course| course.ends_told.is_empty()), 0.001..0.01),
            (
                "inverted",
                share(&courses, |course| course.ends_told.first().is_some_and(|end| *end < course.starts_told[0])),
                0.01..0.02,
            ),
            (
                "late",
                share(&courses, |course| course.ends_told.first().is_some_and(|end| end - course.length > 1_000)),
                0.08..0.12,
            ),
            ("reconnected", share(&courses, |course| course.next_start - course.length < 10_000), 0.02..0.05),
            ("told twice", share(&courses, |course| course.starts_told.len() == 2), 0.008..0.012),
            ("told thirteen times", share(&courses, |course| course.starts_told.len() == 13), 0.0002..0.001),
        ] {
            assert!(range.contains(&share), "{what}: {share}");
        }
    }
}
