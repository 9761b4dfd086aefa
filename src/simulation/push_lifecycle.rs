//! The callbacks of many streams, in the order in which they are sent.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::duration_profile::Habits;

/// The event that a callback reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Start,
    End,
}

/// A callback to send. Times are Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Telling {
    pub sent_at: i64,
    /// When its event happened; it is signed then.
    pub happened_at: i64,
    pub stream: u32,
    /// Unix second at which the push started.
    pub publish_timestamp: i64,
    pub what: What,
}

/// Streams that behave alike.
#[derive(Debug, Clone, Copy)]
pub struct StreamGroup {
    pub streams: u32,
    pub habits: Habits,
    /// Unix milliseconds from which they push.
    pub from: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Tell(Telling),
    Begin { at: i64, stream: u32 },
}

impl Next {
    fn at(&self) -> i64 {
        match self {
            Self::Tell(telling) => telling.sent_at,
            Self::Begin { at, .. } => *at,
        }
    }
}

/// An endless simulation: the callbacks of all streams, ordered by the time at which they are sent.
pub struct Life {
    random: StdRng,
    groups: Vec<StreamGroup>,
    next: BinaryHeap<Reverse<(i64, Next)>>,
}

impl Life {
    /// A simulation of these streams, numbered consecutively.
    pub fn new(seed: u64, groups: &[StreamGroup]) -> Self {
        let mut life = Self { random: StdRng::seed_from_u64(seed), groups: groups.to_vec(), next: BinaryHeap::new() };
        let streams: u32 = groups.iter().map(|group| group.streams).sum();
        for stream in 0..streams {
            let at = life.first_start(stream);
            life.push(Next::Begin { at, stream });
        }
        life
    }

    /// After a random part of a break, so that streams start at different times.
    #[expect(clippy::cast_possible_truncation, reason = "a cast to an integer saturates")]
    fn first_start(&mut self, stream: u32) -> i64 {
        let StreamGroup { habits, from, .. } = self.group_of(stream);
        from + (self.random.random::<f64>() * habits.break_seconds * 1_000.0) as i64
    }

    fn group_of(&self, stream: u32) -> StreamGroup {
        let mut before = 0;
        let group = self.groups.iter().find(|group| {
            before += group.streams;
            stream < before
        });
        *group.unwrap_or_else(|| unreachable!("every stream has a group"))
    }

    fn push(&mut self, next: Next) {
        self.next.push(Reverse((next.at(), next)));
    }

    fn begin(&mut self, at: i64, stream: u32) {
        let course = self.group_of(stream).habits.course(&mut self.random);
        let publish_timestamp = at.div_euclid(1_000);
        let told = [(What::Start, 0, &course.starts_told), (What::End, course.length, &course.ends_told)];
        for (what, after, times) in told {
            for time in times {
                let telling = Telling { sent_at: at + time, happened_at: at + after, stream, publish_timestamp, what };
                self.push(Next::Tell(telling));
            }
        }
        self.push(Next::Begin { at: at + course.next_start, stream });
    }
}

impl Iterator for Life {
    type Item = Telling;

    /// The next callback; `None` only if there are no streams.
    fn next(&mut self) -> Option<Telling> {
        loop {
            let Reverse((_, next)) = self.next.pop()?;
            match next {
                Next::Tell(telling) => return Some(telling),
                Next::Begin { at, stream } => self.begin(at, stream),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::duration_profile::USUAL;
    use super::*;

    #[test]
    fn a_seed_gives_the_same_messages_for_ever_in_the_order_in_which_they_are_sent() {
        let group = |streams| StreamGroup { streams, habits: USUAL, from: 1_700_000_000_000 };
        let life = |seed| Life::new(seed, &[group(10), group(5)]);
        let told: Vec<_> = life(1).take(10_000).collect();
        assert!(told.iter().eq(life(1).take(10_000).collect::<Vec<_>>().iter()));
        assert!(!told.iter().eq(life(2).take(10_000).collect::<Vec<_>>().iter()));
        assert!(told.is_sorted_by_key(|telling| telling.sent_at));
        assert!(told.iter().all(|telling| telling.sent_at >= telling.happened_at && telling.stream < 15));
    }

    #[test]
    fn no_two_pushes_of_a_stream_begin_in_the_same_second() {
        let mut begun = HashSet::new();
        for telling in Life::new(3, &[StreamGroup { streams: 20, habits: USUAL, from: 0 }]).take(20_000) {
            if telling.what == What::Start {
                begun.insert((telling.stream, telling.publish_timestamp, telling.happened_at));
            }
        }
        let keys: HashSet<_> = begun.iter().map(|(stream, second, _)| (stream, second)).collect();
        assert_eq!(keys.len(), begun.len());
    }
}
