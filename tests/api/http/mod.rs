//! Rules for every request and response, whichever resource it is about.

mod caching;
mod compression;
mod connections;
mod cross_origin;
mod document;
mod hostile_requests;
mod problems;
mod request_ids;
pub mod tls;
mod transport;
