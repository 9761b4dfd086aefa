//! The operating system: time, files, users, limits, TLS files.

pub mod clock;
pub mod data_dir;
pub mod local_store;
pub mod open_files;
pub mod privileges;
pub mod tls;
