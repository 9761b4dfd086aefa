//! The log out of one installation and into another, as newline-delimited JSON.
//!
//! The first line is a [`Header`], each other one an entry with all that the log says of it
//! ([`crate::store::transfer::RecordedEntryRow`]; members that are null or false are left out), shard by shard in the order of
//! positions. Nothing else makes a session or a report of a moment, so that an installation that has imported a log gives
//! the same ones. It may have more shards: each stream's entries keep their order and their times.
//!
//! Both ways take little memory however long the log is, and to import what is there already changes nothing. So an
//! import that broke off is begun anew, and a later export continues an earlier one.

mod check;
mod export;
mod import;
mod line;

pub use check::Unfit;
pub use export::{ExportError, Exported, export};
pub use import::{ImportError, Imported, import};
pub use line::{Header, Lines, LinesError};

/// How many entries are read from a database, or put into one, at a time.
const BATCH: usize = 2_000;
