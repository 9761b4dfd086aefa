//! The event log: what goes into it, and how.
//!
//! - [`receive`]: what becomes of a message.
//! - [`incoming`]: a message on its way into the log.
//! - [`group_commit`]: whoever appends waits until the message is durable, and is told the truth.
//! - [`append`]: a batch into the log.
//! - [`spool`], [`drain`]: messages that wait on this machine's disk while the database is away.
//! - [`alarm`]: saying that signatures are misused.
//! - [`operator_end`]: when a session ended, by an operator's word.
//! - [`release`]: letting a quarantined message count.
//! - [`transfer`]: out of one installation and into another.

pub(crate) mod alarm;
pub(crate) mod append;
pub(crate) mod drain;
pub(crate) mod group_commit;
pub(crate) mod incoming;
pub(crate) mod operator_end;
pub(crate) mod receive;
pub(crate) mod release;
pub(crate) mod spool;
pub mod transfer;
