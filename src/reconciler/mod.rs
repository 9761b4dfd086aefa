//! The reconciler: folds the log into sessions.
//!
//! A step locks shards, reads the events after their folded positions, loads the sessions of these events, folds, and
//! writes the sessions and the new positions in one transaction. The process that holds the lock on a shard's row folds
//! it; others skip the shard. So each event is folded exactly once, and the lock of a process that dies is released.
//!
//! [`infer`] finds sessions whose end callback will not come, and appends inferred ends.
//!
//! [`rebuild`] folds all sessions again and compares them.
//!
//! [`retention`] redacts and drops old events.
//!
//! Tests call [`step()`] directly; in production [`run`] does.

pub mod change;
pub mod clock_repair;
pub(crate) mod database_clock;
pub mod entry;
pub mod infer;
pub(crate) mod push;
pub mod rebuild;
pub mod retention;
pub mod row;
pub mod run;
pub mod slewed_clock;
mod step;

pub use step::{FoldError, StepResult, fold_to_end, step};
