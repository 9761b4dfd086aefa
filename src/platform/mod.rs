//! What the operating system provides: time, files, users, sockets.

pub mod clock;
pub mod data_dir;
pub(crate) mod local_store;
pub(crate) mod open_files;
pub(crate) mod privileges;
pub(crate) mod tls;
