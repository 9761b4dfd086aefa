//! Exports the log of one installation and imports it into another, as newline-delimited JSON.
//!
//! The first line is a [`Header`]. Each other line is one event with all its fields
//! ([`crate::store::transfer::RecordedEntryRow`]; null and false members are omitted), shard by shard in the order of
//! positions. Sessions and reports follow from the log alone, so an installation that has imported a log has the same
//! ones. It may have more shards: each stream's events keep their order and their times.
//!
//! Memory use does not depend on the length of the log, and importing an event again changes nothing. So an import that
//! broke off can be repeated, and a later export continues an earlier one.

mod check;
mod export;
mod import;
mod line;

pub use check::Unfit;
pub use export::{ExportError, Exported, export};
pub use import::{ImportError, Imported, import};
pub use line::{Header, Lines, LinesError};

/// How many events are read or written in one batch.
const BATCH: usize = 2_000;
