//! Rejected requests to callback URLs. They are not authenticated and have no effect, but show support that a key
//! or a callback URL is wrong.
//!
//! Rejections are counted by claimed domain, reason and minute, with the first of each as a sample, and written to the
//! database every second. Anyone can cause them, so everything is bounded: per minute, only the first few unregistered
//! domains are counted by name, and the others together.

mod sample;
mod tally;

pub use sample::Sample;
pub use tally::Rejections;
