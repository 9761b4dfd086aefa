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

pub mod alarm;
pub mod append;
pub mod drain;
pub mod group_commit;
pub mod incoming;
pub mod operator_end;
pub mod receive;
pub mod release;
pub mod spool;
pub mod transfer;
