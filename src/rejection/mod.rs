//! Rejected requests to callback URLs. They are not authenticated and have no effect, but show support that a key
//! or a callback URL is wrong.
//!
//! Rejections are counted by claimed domain, reason and minute, with the first of each as a sample, and written to the
//! database every second. Anyone can cause them, so everything is bounded: per minute, only the first few unregistered
//! domains are counted by name, and the others together.
//!
//! Those that can be admitted when their cause is fixed are kept for some days, in bounded space.
//!
//! - [`tally`], [`sample`]: the counts.
//! - [`kept`]: keeps rejected callbacks; [`budget`]: divides the space for them.
//! - [`retry`]: admits kept rejections.

pub(crate) mod budget;
pub(crate) mod kept;
pub(crate) mod retry;
mod sample;
mod tally;

pub use sample::Sample;
pub use tally::Rejections;
