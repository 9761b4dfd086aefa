//! Reports and lists of sessions as files.

mod formats;
mod lists;
pub mod reading;
mod reports;
