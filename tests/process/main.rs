//! The program as its users run it: a real `serve` on a folder of its own, commands beside it, real signals, and what
//! is left on disk and in the process table. Nothing is known of it but its command line, `/readyz`, `/metrics`, its
//! exit status and what it prints.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod commands;
mod delivery;
mod running;
mod upgrade;
