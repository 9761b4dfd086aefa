//! Waiting for something that sends no signal: ask again until a limit.

use std::{
    thread,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(20);

/// The pause between two looks at something.
pub(super) fn pause() {
    thread::sleep(PAUSE);
}

/// Asks until the answer is yes, for at most `limit`. The last answer is returned.
pub(super) fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() >= limit {
            return false;
        }
        pause();
    }
}
