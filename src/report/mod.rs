//! What billing asks: how long pushes lasted, as of a moment, the same for ever.
//!
//! A report counts pushes as the log told of them at its `as_of`, whatever came later. [`moment`] closes that moment, so that
//! nothing can be recorded before it any more, and waits until all before it is folded; [`source`] reads the pushes, batch by
//! batch, in the order of their starts; [`sweep`] and [`concurrency`] count them, in one pass and in bounded memory. As what is
//! read of a closed moment never changes, no transaction need be kept open meanwhile.
//!
//! Pure, without I/O and clock: [`push`], [`window`], [`sweep`], [`concurrency`], [`csv`].

use crate::reconciler::database_clock::ClockError;

pub(crate) mod concurrency;
pub(crate) mod concurrency_report;
pub(crate) mod counted;
pub(crate) mod csv;
pub(crate) mod low_priority_runtime;
pub(crate) mod moment;
pub(crate) mod parameters;
pub mod push;
pub(crate) mod push_duration;
pub(crate) mod sealed;
mod source;
pub mod sweep;
pub(crate) mod window;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The moment that is asked for is still to come.
    #[error("as_of lies in the future")]
    Future,
    /// The times of the log cannot be relied on: a moment that is closed now may lie in the future.
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
