//! The streams of the demo.

use crate::simulation::duration_profile::{Habits, USUAL};

/// Streams of one kind: their app, names and behavior.
struct Kind {
    app: &'static str,
    streams: &'static [&'static str],
    habits: Habits,
}

const KINDS: [Kind; 3] = [
    Kind {
        app: "live",
        streams: &[
            "city-council",
            "concert-hall",
            "keynote",
            "lecture-101",
            "lecture-207",
            "library",
            "museum",
            "newsroom",
            "parliament",
            "planetarium",
            "town-square",
            "workshop",
        ],
        habits: USUAL,
    },
    Kind {
        app: "sport",
        streams: &["pitch-1", "pitch-2", "pitch-3", "pool", "rink", "velodrome"],
        habits: Habits { median_seconds: 5_400.0, spread: 0.4, break_seconds: 14_000.0 },
    },
    Kind {
        app: "events",
        streams: &["interview", "match-point", "quiz", "request-show"],
        habits: Habits { median_seconds: 150.0, spread: 0.6, break_seconds: 420.0 },
    },
];

/// The number of streams of each kind, with their behavior.
pub fn kinds() -> Vec<(u32, Habits)> {
    KINDS.iter().map(|kind| (u32::try_from(kind.streams.len()).unwrap_or_default(), kind.habits)).collect()
}

pub fn apps() -> Vec<String> {
    KINDS.iter().map(|kind| kind.app.to_owned()).collect()
}

/// App and name of the stream with a number.
pub fn name_of(stream: u32) -> (&'static str, &'static str) {
    let all = KINDS.iter().flat_map(|kind| kind.streams.iter().map(|name| (kind.app, *name)));
    all.cycle().nth(usize::try_from(stream).unwrap_or_default()).unwrap_or(("live", "demo"))
}
