//! The operating system and the network: time, files, users, limits, TLS files, where requests may go to.

pub mod address;
pub mod clock;
pub mod data_dir;
pub(crate) mod local_store;
pub mod low_priority;
pub(crate) mod open_files;
pub mod outgoing;
pub(crate) mod privileges;
pub(crate) mod tls;
