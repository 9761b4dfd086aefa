//! The number of live pushes and streams, at instants a fixed step apart, and its peak.
//!
//! One pass over pushes ordered by start, as in [`sweep`](super::sweep), and with the same rule: a push is live in
//! `[started, ended)`. All times are Unix seconds.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};

use super::push::Push;

/// The pushes and streams that were live at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub at: i64,
    pub live_sessions: u32,
    /// Streams with at least one live push.
    pub live_streams: u32,
}

/// Counts live pushes from `from` until before `to`, and not after the horizon.
#[derive(Debug, Clone)]
pub struct Concurrency {
    from: i64,
    to: i64,
    horizon: i64,
    step: i64,
    on_air: BinaryHeap<Reverse<(i64, u32)>>,
    /// How many live pushes each live stream has.
    streams: HashMap<u32, u32>,
    points: Vec<Point>,
    peak: Option<Point>,
}

impl Concurrency {
    /// Counts at `from`, and every `step` seconds after it.
    pub fn new(from: i64, to: i64, horizon: i64, step: i64) -> Self {
        Self {
            from,
            to,
            horizon,
            step,
            on_air: BinaryHeap::new(),
            streams: HashMap::new(),
            points: Vec::new(),
            peak: None,
        }
    }

    /// How many points there will be.
    pub fn count_points(&self) -> usize {
        let seconds = self.to.min(self.horizon.saturating_add(1)).saturating_sub(self.from).max(0);
        usize::try_from(seconds.saturating_add(self.step - 1) / self.step).unwrap_or(usize::MAX)
    }

    /// Adds a push. Pushes that started before the period come first, in any order; the others ordered by start.
    pub fn add(&mut self, push: &Push) {
        let at = push.started.max(self.from);
        if at >= self.to || at > self.horizon || push.ended <= at {
            return;
        }
        self.tell_until(at);
        self.end_until(at);
        self.on_air.push(Reverse((push.ended, push.stream)));
        *self.streams.entry(push.stream).or_default() += 1;
        let now = self.point(at);
        if self.peak.is_none_or(|peak| now.live_sessions > peak.live_sessions) {
            self.peak = Some(now);
        }
    }

    /// Returns the points, and the first instant at which the most pushes were live; `None` if none ever was.
    pub fn finish(mut self) -> (Vec<Point>, Option<Point>) {
        self.tell_until(self.to.min(self.horizon.saturating_add(1)));
        (self.points, self.peak)
    }

    /// Adds every point before an instant.
    fn tell_until(&mut self, instant: i64) {
        loop {
            let told = i64::try_from(self.points.len()).unwrap_or(i64::MAX);
            let next = self.from.saturating_add(self.step.saturating_mul(told));
            if next >= instant {
                break;
            }
            self.end_until(next);
            let point = self.point(next);
            self.points.push(point);
        }
    }

    fn end_until(&mut self, instant: i64) {
        while let Some(Reverse((ended, stream))) = self.on_air.peek().copied()
            && ended <= instant
        {
            self.on_air.pop();
            if let Entry::Occupied(mut pushes) = self.streams.entry(stream) {
                *pushes.get_mut() -= 1;
                if *pushes.get() == 0 {
                    pushes.remove();
                }
            }
        }
    }

    fn point(&self, at: i64) -> Point {
        let count = |live: usize| u32::try_from(live).unwrap_or(u32::MAX);
        Point { at, live_sessions: count(self.on_air.len()), live_streams: count(self.streams.len()) }
    }
}
