//! What the service concludes from the provider's lists, over simulated worlds: no database, no sockets, and no clock but the
//! world's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod history;
mod provider;
mod rules;
mod world;
