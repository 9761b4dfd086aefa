//! The HTTP contract without handlers: problems, pages, cursors and the reader of parameters.

pub mod cursor_cipher;
pub mod error_responses;
pub mod event_stream;
pub mod page;
pub mod problem;
pub mod query_reader;
pub mod schema;
pub mod views;

/// Where the dashboard's pages are.
pub const DASHBOARD: &str = "/dashboard";
