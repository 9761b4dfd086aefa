//! The operating system: time, files, users, limits, TLS files.

pub mod clock;
pub mod data_dir;
pub(crate) mod local_store;
pub mod low_priority;
pub(crate) mod open_files;
pub(crate) mod privileges;
pub(crate) mod tls;
