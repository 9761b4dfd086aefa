//! The reconciler: folds the log into sessions.
//!
//! A step takes shards, reads the entries after their folded positions, loads the sessions that they touch, folds, and
//! writes them and the new positions in one transaction. Whoever holds a shard's row folds it; others pass by. So an
//! entry is folded exactly once, by whichever process comes to it, and when one dies its row is free again.
//!
//! [`infer`] looks for sessions whose end will not come, and appends what it finds.
//!
//! [`rebuild`] makes all sessions anew, and compares.
//!
//! [`retention`] redacts and drops what is old.
//!
//! [`step()`] is what tests drive; [`run`] is what drives it in life.

pub mod clock_repair;
pub mod database_clock;
pub mod entry;
pub mod infer;
pub mod push;
pub mod rebuild;
pub mod retention;
pub mod row;
pub mod run;
pub mod slewed_clock;
mod step;

pub use step::{FoldError, StepResult, fold_to_end, step};
