//! The event log: appends events, and buffers callbacks while the database is unreachable.
//!
//! - [`receive`]: admits a callback and appends it.
//! - [`incoming`]: a callback before it is appended.
//! - [`group_commit`]: each caller waits until its callback is durable, or gets an error.
//! - [`append`]: appends a batch.
//! - [`spool`], [`drain`]: the on-disk buffer while the database is unreachable.
//! - [`alarm`]: alerts operators when signatures are misused.
//! - [`confirmation`]: an operator confirms that a session is still live.
//! - [`operator_end`]: an operator sets when a session ended.
//! - [`operator_event`]: what both of them append.
//! - [`release`]: an operator releases quarantined callbacks.
//! - [`transfer`]: exports and imports the log.

pub(crate) mod alarm;
pub(crate) mod append;
pub(crate) mod confirmation;
pub(crate) mod drain;
pub(crate) mod group_commit;
pub(crate) mod incoming;
pub(crate) mod operator_end;
mod operator_event;
pub(crate) mod receive;
pub(crate) mod release;
pub(crate) mod spool;
pub mod transfer;
