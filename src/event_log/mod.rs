//! The event log: what goes into it, and how.
//!
//! - [`receive`]: what a message and its verdict become.
//! - [`append`]: group commit. Whoever appends waits until the entry is durable, and is told the truth.
//! - [`read`]: what folding makes of a row.

pub mod append;
pub mod read;
pub mod receive;
