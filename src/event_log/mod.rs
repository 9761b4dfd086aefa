//! The event log: what goes into it, and how.
//!
//! - [`receive`]: what becomes of a message.
//! - [`alarm`]: saying that signatures are misused.
//! - [`append`]: group commit. Whoever appends waits until the entry is durable, and is told the truth.
//! - [`operator_end`]: when a session ended, by an operator's word.
//! - [`release`]: letting a quarantined message count.
//! - [`read`]: what folding makes of a row.

pub mod alarm;
pub mod append;
pub mod operator_end;
pub mod read;
pub mod receive;
pub mod release;
