//! The event log: the order of appends, retention and redaction, clocks, export and import.

mod clocks;
mod closed_sets;
mod event_log;
mod redaction;
pub mod retention;
mod retention_histories;
mod transfer;
