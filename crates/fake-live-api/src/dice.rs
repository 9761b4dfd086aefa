//! Everything random. It depends only on the seed and on the question, so that a world replays exactly.

use std::ops::RangeInclusive;

use chrono::TimeDelta;
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use crate::world::Push;

/// Faster than the standard generator, and the same in every version of its crate.
pub(crate) type Generator = Xoshiro256PlusPlus;

#[derive(Clone, Copy)]
pub(crate) struct Dice {
    seed: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A generator for this question: the same parts give the same numbers.
    pub(crate) fn ask(self, purpose: &str, parts: &[&[u8]]) -> Generator {
        let mut hash = fnv(0xcbf2_9ce4_8422_2325, &self.seed.to_le_bytes());
        for part in [purpose.as_bytes()].iter().chain(parts) {
            hash = fnv(fnv(hash, part), &part.len().to_le_bytes());
        }
        Generator::seed_from_u64(hash)
    }

    /// A generator for a question about a push.
    pub(crate) fn ask_about(self, push: &Push, purpose: &str, minute: i64) -> Generator {
        let started_at = push.started_at.timestamp_millis().to_le_bytes();
        let names = [push.domain.as_bytes(), push.app.as_bytes(), push.stream.as_bytes()];
        let [domain, app, stream] = names;
        self.ask(purpose, &[domain, app, stream, &started_at, &minute.to_le_bytes()])
    }
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Whether something of this chance happens; chances outside of 0 to 1 are never or always.
pub(crate) fn happens(generator: &mut Generator, chance: f64) -> bool {
    chance > 0.0 && (chance >= 1.0 || generator.random_bool(chance))
}

/// A duration within a range of seconds, by the millisecond.
pub(crate) fn seconds_within(generator: &mut Generator, range: &RangeInclusive<i64>) -> TimeDelta {
    let [least, most] = [*range.start(), *range.end()].map(|seconds| seconds.saturating_mul(1_000));
    let millis = if least < most { generator.random_range(least..=most) } else { least };
    TimeDelta::milliseconds(millis)
}

/// One of several; `None` of an empty slice.
pub(crate) fn choose<T: Copy>(generator: &mut Generator, several: &[T]) -> Option<T> {
    if several.is_empty() {
        return None;
    }
    several.get(generator.random_range(0..several.len())).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer_and_others_have_others() {
        let roll = |seed, purpose, parts: &[&[u8]]| Dice::new(seed).ask(purpose, parts).random::<u64>();
        let first = roll(1, "a", &[b"b"]);
        assert_eq!(roll(1, "a", &[b"b"]), first);
        for other in
            [roll(2, "a", &[b"b"]), roll(1, "ab", &[b""]), roll(1, "a", &[b"b", b""]), roll(1, "", &[b"a", b"b"])]
        {
            assert_ne!(other, first);
        }
    }

    #[test]
    fn chances_and_ranges_outside_of_their_bounds_do_not_panic() {
        let mut generator = Dice::new(7).ask("a", &[]);
        assert!(!happens(&mut generator, -1.0) && !happens(&mut generator, f64::NAN) && happens(&mut generator, 2.0));
        #[expect(clippy::reversed_empty_ranges, reason = "a wrong setting")]
        let reversed = 5..=1;
        assert_eq!(seconds_within(&mut generator, &reversed), TimeDelta::seconds(5));
        assert_eq!(choose::<u8>(&mut generator, &[]), None);
        for _ in 0..100 {
            let lag = seconds_within(&mut generator, &(120..=240));
            assert!(TimeDelta::minutes(2) <= lag && lag <= TimeDelta::minutes(4), "{lag}");
        }
    }
}
