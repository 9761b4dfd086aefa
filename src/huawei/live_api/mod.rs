//! The provider's API of streams, as a second source: what is on air now, and what was pushed in the last seven days.
//!
//! - [`signing`]: signs requests.
//! - [`answer`]: parses answers, which come in several shapes.
//! - [`sweep`]: puts the pages of the list of streams on air together, and tells complete lists from all others.

use chrono::{DateTime, TimeDelta, Utc};

pub mod answer;
pub mod signing;
pub mod sweep;

/// How far the start of a push in the lists and in the history may be from that of its callbacks. Not documented: assumed.
pub const START_TOLERANCE: TimeDelta = TimeDelta::seconds(5);

/// Whether two starts of a stream are that of one push, as far as it can be told.
pub fn is_same_start(one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    (one - other).abs() <= START_TOLERANCE
}
