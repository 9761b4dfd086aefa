//! Reports for billing: how long pushes lasted, as of a time, always with the same result.
//!
//! A report counts pushes as they were known at its `as_of`, regardless of later events. [`cutoff`] fixes `as_of`, so
//! that nothing can be recorded at or before it any longer, and waits until the log is folded up to it. [`source`]
//! reads the pushes in batches, ordered by start; [`sweep`] and [`concurrency`] count them in one pass and in bounded
//! memory. What is read as of a fixed time never changes, so no transaction needs to stay open meanwhile. [`file`](mod@file) makes
//! files of the rows.
//!
//! Pure, without I/O and clock: [`push`], [`window`], [`sweep`], [`concurrency`], [`csv`], [`period`].

use crate::reconciler::database_clock::ClockError;

pub(crate) mod concurrency;
pub(crate) mod concurrency_report;
pub(crate) mod counted;
pub(crate) mod csv;
pub(crate) mod cutoff;
pub(crate) mod file;
pub(crate) mod low_priority_runtime;
pub(crate) mod parameters;
pub(crate) mod period;
pub mod push;
pub(crate) mod push_duration;
pub(crate) mod sealed;
mod source;
pub mod sweep;
pub(crate) mod window;

/// Why a report failed.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The requested `as_of` is in the future.
    #[error("as_of lies in the future")]
    Future,
    /// The times of the log are unreliable: an `as_of` that is fixed now might be in the future.
    #[error("no report can be made: {0}")]
    WrongClock(ClockError),
    /// Folding is behind.
    #[error("the log is not folded up to `as_of` yet; try again later")]
    NotFolded,
    /// The report was deleted, or its lease expired, while it was being sealed.
    #[error("the report was deleted or abandoned while it was being sealed; seal it again")]
    Withdrawn,
    /// A chart would have too many points.
    #[error("the series have too many points")]
    TooManyPoints,
    /// A workbook would have more rows than a sheet holds.
    #[error("a sheet holds at most {0} rows")]
    TooManyRows(u32),
    /// The temporary file of a workbook failed.
    #[error("a workbook could not be written to the temporary folder")]
    File(#[from] rust_xlsxwriter::XlsxError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}
