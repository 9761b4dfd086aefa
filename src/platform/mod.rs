//! What the operating system provides: time, files, users, sockets.

pub mod clock;
pub mod data_dir;
pub mod local_store;
pub mod open_files;
pub mod privileges;
pub mod tls;
