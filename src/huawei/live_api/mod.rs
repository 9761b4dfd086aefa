//! The provider's API of streams, as a second witness: what is on air now, and what was pushed in the last seven days.
//!
//! - [`signing`]: signs requests.
//! - [`answer`]: parses answers, which come in several shapes.
//! - [`sweep`]: puts the pages of the list of streams on air together, and tells complete lists from all others.

pub mod answer;
pub mod signing;
pub mod sweep;
