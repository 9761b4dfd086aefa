//! Rejected requests to the callback addresses: nothing of them is believed, but support needs to see that a key or a
//! callback URL is wrong.
//!
//! They are counted by claimed domain, cause and minute, with the first of each as a sample, and written down each
//! second. Anyone can send them, so all of it is bounded: of domains that are not registered only the first few of a
//! minute are counted by name, and the others together.

mod sample;
mod tally;

pub use sample::Sample;
pub use tally::Rejections;
