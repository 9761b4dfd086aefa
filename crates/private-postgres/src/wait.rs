//! Waits by polling for conditions that have no notification.

use std::{
    thread,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(20);

/// The pause between two polls.
pub(super) fn pause() {
    thread::sleep(PAUSE);
}

/// Polls until the condition holds, for at most `limit`. Returns whether it held.
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
