//! State that requests share: the state of the process, its connections, and limits on callers.

pub mod client_address;
pub mod connections;
pub mod feed;
pub mod quota;
pub mod room;
pub mod state;
