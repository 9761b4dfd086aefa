//! Push duration by window and group, in one pass over pushes ordered by start.
//!
//! The sweep moves through time from one start or end of a push or window to the next, and adds up how many pushes were
//! live in between. Its memory holds only the live pushes, and each group of the open window, however long the period
//! is. Windows are returned in order, their groups ordered by name.
//!
//! A push is live in `[started, ended)`. It counts for a window if it is live in it or started in it. Nothing counts
//! before the period, after it, or after the horizon: the last whole second of the report's `as_of`.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::push::Push;
use crate::model::report::Certainty;

/// Totals of a group in a window, or of a whole report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowTotals {
    pub sessions: i64,
    pub sessions_started: i64,
    /// Seconds of pushes with a confirmed end.
    pub confirmed_seconds: i64,
    /// Seconds of pushes with an inferred end.
    pub estimated_seconds: i64,
    /// Seconds of pushes without an end.
    pub open_seconds: i64,
    /// Seconds in which a stream was live, summed over streams.
    pub on_air_seconds: i64,
    pub peak_live_sessions: i64,
}

impl WindowTotals {
    pub fn push_seconds(&self) -> i64 {
        self.confirmed_seconds + self.estimated_seconds + self.open_seconds
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub group: u32,
    /// Start and end of its window, in Unix seconds.
    pub window: (i64, i64),
    pub counts: WindowTotals,
}

/// The live pushes of a group, or of all groups, with the totals up to `since`.
#[derive(Debug, Clone, Copy, Default)]
struct OpenPushes {
    confirmed: i64,
    estimated: i64,
    open: i64,
    streams: i64,
    since: i64,
    counts: WindowTotals,
    /// Whether it is in the list of the open window's groups.
    listed: bool,
}

impl OpenPushes {
    fn on_air(&self) -> i64 {
        self.confirmed + self.estimated + self.open
    }

    fn count_until(&mut self, until: i64) {
        let seconds = until - self.since;
        self.since = until;
        self.counts.confirmed_seconds += self.confirmed * seconds;
        self.counts.estimated_seconds += self.estimated * seconds;
        self.counts.open_seconds += self.open * seconds;
        self.counts.on_air_seconds += self.streams * seconds;
    }

    fn change(&mut self, certainty: Certainty, pushes: i64, streams: i64) {
        let on_air = match certainty {
            Certainty::Confirmed => &mut self.confirmed,
            Certainty::Estimated => &mut self.estimated,
            Certainty::Open => &mut self.open,
        };
        *on_air += pushes;
        self.streams += streams;
        self.counts.peak_live_sessions = self.counts.peak_live_sessions.max(self.on_air());
    }

    /// Begins the next window with the pushes that are live.
    fn begin(&mut self, at: i64) {
        let on_air = self.on_air();
        self.since = at;
        self.counts = WindowTotals { sessions: on_air, peak_live_sessions: on_air, ..WindowTotals::default() };
    }
}

/// A live push, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct OnAir {
    until: i64,
    group: u32,
    stream: u32,
    certainty: Certainty,
}

/// Moves through time, from the start of a period to its end.
#[derive(Debug)]
pub struct Sweep {
    /// The starts of the windows, and finally the end of the last.
    bounds: Vec<i64>,
    window: usize,
    horizon: i64,
    on_air: BinaryHeap<Reverse<OnAir>>,
    groups: Vec<OpenPushes>,
    /// The groups of the open window, unordered.
    listed: Vec<u32>,
    streams: Vec<u32>,
    whole: OpenPushes,
    rows: Vec<Row>,
}

impl Sweep {
    /// A sweep over the windows of [`list_bounds`](super::window::list_bounds), up to a horizon.
    pub fn new(mut bounds: Vec<i64>, horizon: i64) -> Self {
        // Nothing counts in a period that starts at the horizon or later.
        bounds.truncate(if bounds.first().is_some_and(|from| *from < horizon) { bounds.len() } else { 0 });
        let horizon = bounds.last().map_or(horizon, |last| horizon.min(*last));
        let mut whole = OpenPushes::default();
        whole.begin(bounds.first().copied().unwrap_or_default());
        Self {
            bounds,
            window: 0,
            horizon,
            on_air: BinaryHeap::new(),
            groups: Vec::new(),
            listed: Vec::new(),
            streams: Vec::new(),
            whole,
            rows: Vec::new(),
        }
    }

    /// The time from which a push counts; `None` if it does not count.
    pub fn counts_from(&self, push: &Push) -> Option<i64> {
        let from = *self.bounds.first()?;
        let counts = push.started < self.horizon && (push.started >= from || push.ended > from);
        counts.then(|| push.started.max(from))
    }

    /// Adds a push. Pushes that started before the period come first, in any order; the others ordered by start.
    /// `by_name` compares groups by name.
    ///
    /// # Panics
    /// When a push is out of order.
    pub fn add(&mut self, push: &Push, by_name: impl Fn(u32, u32) -> Ordering) {
        let Some(at) = self.counts_from(push) else { return };
        let carried_over = push.started < at;
        while !self.come_to(at, &by_name) {}
        self.list(push.group);
        self.tell(push.group, at, |tally| {
            tally.counts.sessions += 1;
            tally.counts.sessions_started += i64::from(!carried_over);
        });
        let until = push.ended.min(self.horizon);
        if at < until {
            self.put_on_air(OnAir { until, group: push.group, stream: push.stream, certainty: push.certainty }, at);
        }
    }

    /// Moves to the end, after which no push can be added, and returns the totals. `None` if it stopped at the end of a
    /// window so that its rows can be taken; then call it again.
    pub fn finish(&mut self, by_name: impl Fn(u32, u32) -> Ordering) -> Option<WindowTotals> {
        if !self.bounds.is_empty() {
            if !self.come_to(self.horizon, &by_name) {
                return None;
            }
            if self.window + 1 < self.bounds.len() {
                self.close_window(self.horizon, by_name);
            }
            self.bounds.clear();
        }
        Some(self.whole.counts)
    }

    /// The rows of the windows that were closed since the last call.
    pub fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    /// Moves to an instant, and ends every push and window up to it. False if it stopped at the end of a window with
    /// rows so that these can be taken; then call it again.
    ///
    /// # Panics
    /// When the sweep is already past the instant.
    pub fn come_to(&mut self, to: i64, by_name: impl Fn(u32, u32) -> Ordering) -> bool {
        assert!(to >= self.whole.since, "pushes are ordered by start");
        while let Some(&end) = self.bounds.get(self.window + 1) {
            // Half-open: a push that ends with a window is not live in the next.
            match self.on_air.peek() {
                Some(Reverse(next)) if next.until <= end.min(to) => self.take_off_air(),
                _ if end <= to => {
                    let had = self.rows.len();
                    self.close_window(end, &by_name);
                    self.pass_empty_windows(to);
                    if self.rows.len() > had {
                        return false;
                    }
                }
                _ => break,
            }
        }
        true
    }

    fn put_on_air(&mut self, on_air: OnAir, at: i64) {
        self.on_air.push(Reverse(on_air));
        let pushes = self.pushes_of(on_air.stream);
        *pushes += 1;
        let streams = i64::from(*pushes == 1);
        self.tell(on_air.group, at, |tally| tally.change(on_air.certainty, 1, streams));
    }

    fn take_off_air(&mut self) {
        let Some(Reverse(on_air)) = self.on_air.pop() else { return };
        let pushes = self.pushes_of(on_air.stream);
        *pushes -= 1;
        let streams = -i64::from(*pushes == 0);
        self.tell(on_air.group, on_air.until, |tally| tally.change(on_air.certainty, -1, streams));
    }

    /// Updates the counts of a group and of the whole up to an instant, then applies a change.
    fn tell(&mut self, group: u32, at: i64, change: impl Fn(&mut OpenPushes)) {
        for tally in [entry(&mut self.groups, group), &mut self.whole] {
            tally.count_until(at);
            change(tally);
        }
    }

    /// Adds a group to the open window, unless it is in it.
    fn list(&mut self, group: u32) {
        let begin = self.bounds.get(self.window).copied().unwrap_or_default();
        let tally = entry(&mut self.groups, group);
        if !tally.listed {
            tally.listed = true;
            tally.begin(begin);
            self.listed.push(group);
        }
    }

    fn close_window(&mut self, until: i64, by_name: impl Fn(u32, u32) -> Ordering) {
        let (Some(&begin), Some(&end)) = (self.bounds.get(self.window), self.bounds.get(self.window + 1)) else {
            return;
        };
        self.window += 1;
        self.whole.count_until(until);
        let mut listed = std::mem::take(&mut self.listed);
        listed.sort_unstable_by(|one, other| by_name(*one, *other));
        for group in &listed {
            let tally = entry(&mut self.groups, *group);
            tally.count_until(until);
            if tally.counts.push_seconds() > 0 {
                self.rows.push(Row { group: *group, window: (begin, end), counts: tally.counts });
            }
            tally.listed = tally.on_air() > 0;
            tally.begin(end);
        }
        listed.retain(|group| entry(&mut self.groups, *group).listed);
        self.listed = listed;
    }

    /// Without live pushes, moves to the window that contains an instant.
    fn pass_empty_windows(&mut self, at: i64) {
        if self.listed.is_empty() {
            let begun = self.bounds.partition_point(|bound| *bound <= at);
            self.window = self.window.max(begun.saturating_sub(1));
        }
    }

    fn pushes_of(&mut self, stream: u32) -> &mut u32 {
        entry(&mut self.streams, stream)
    }
}

/// The element with a number; grows the vector as needed.
fn entry<T: Clone + Default>(things: &mut Vec<T>, number: u32) -> &mut T {
    let place = usize::try_from(number).unwrap_or(usize::MAX);
    if place >= things.len() {
        things.resize(place + 1, T::default());
    }
    match things.get_mut(place) {
        Some(thing) => thing,
        None => unreachable!("the vector was resized"),
    }
}
