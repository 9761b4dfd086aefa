//! Every behaviour of the service over HTTP, on a real `PostgreSQL`. Each test has a database of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod administration;
mod audit;
mod blanking;
mod boundaries;
mod broadcasts;
mod caching;
mod certificates;
mod compression;
mod cross_origin;
mod document;
mod event_log;
mod forgeries;
mod helpers;
mod inference;
mod live;
mod live_changes;
mod messages;
mod operator_ends;
mod paging;
mod problems;
mod quarantine;
mod rebuild;
mod receiving;
mod reconciler;
mod rejections;
mod retention;
mod retention_histories;
mod rotation;
mod server;
mod sessions;
mod spool;
mod streams;
mod tls;
mod tokens;
mod transport;
