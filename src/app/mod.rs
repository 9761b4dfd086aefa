//! State that requests share: the state of the process, its connections, and limits on callers.

pub(crate) mod client_address;
pub mod connections;
pub(crate) mod feed;
pub(crate) mod page_caches;
pub(crate) mod quota;
pub(crate) mod room;
pub(crate) mod state;
