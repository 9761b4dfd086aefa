//! What billing asks: how long pushes lasted, as of an instant.
//!
//! A report counts pushes as the log told of them at its `as_of`, whatever came later. [`cutoff`] closes that instant, so that
//! nothing can be recorded before it, and waits until everything before it is folded; [`source`] reads the pushes, batch by
//! batch, in the order of their starts; [`sweep`] and [`concurrency`] count them, in one pass and in bounded memory. As what is
//! read of a closed instant never changes, no transaction need be kept open meanwhile.
//!
//! Pure, without I/O and clock: [`push`], [`window`], [`sweep`], [`concurrency`], [`csv`].

use crate::reconciler::database_clock::ClockError;

pub mod concurrency;
pub mod concurrency_report;
pub mod counted;
pub mod csv;
pub mod cutoff;
pub mod low_priority_runtime;
pub mod parameters;
pub mod push;
pub mod push_duration;
pub mod sealed;
pub mod source;
pub mod sweep;
pub mod window;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("as_of lies in the future")]
    Future,
    /// The clocks differ: an instant that is closed now may lie in the future.
    #[error("no report can be made: {0}")]
    WrongClock(ClockError),
    /// Folding does not get on.
    #[error("the log is not folded up to the report's moment yet")]
    NotFolded,
    /// A report that was being sealed is not to be made any more.
    #[error("the report was deleted, or given up, while it was being sealed")]
    Withdrawn,
    /// The database failed.
    #[error("the database cannot tell of the pushes")]
    Database(#[from] sqlx::Error),
}
