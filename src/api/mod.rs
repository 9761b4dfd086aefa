//! The HTTP contract without handlers: problems, pages, cursors and the reader of parameters.

pub(crate) mod cursor_cipher;
pub(crate) mod error_responses;
pub(crate) mod event_stream;
pub(crate) mod page;
pub(crate) mod problem;
pub(crate) mod query_reader;
pub(crate) mod schema;
pub(crate) mod views;

/// Where the dashboard's pages are.
pub const DASHBOARD: &str = "/dashboard";

/// The wall display.
pub const KIOSK: &str = "/dashboard/kiosk";
