//! Every behaviour of the service over HTTP, on a real `PostgreSQL`. Each test has a database of its own. A folder holds the
//! tests of one subject; the files next to this one are what all share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod access;
mod dashboard;
mod files;
mod folding;
mod helpers;
mod http;
mod log;
mod polling;
mod receiving;
mod reports;
mod schemas;
mod server;
mod sessions;
mod webhooks;
