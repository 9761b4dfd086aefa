//! What the test suites share: the program under test as its users run it, callbacks as the provider sends them, and
//! certificates. A file that only one suite needs is in the folder of that suite.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(clippy::new_without_default, reason = "making an authority is no default")]

pub mod certificates;
pub mod home;
pub mod messages;
pub mod service;
