//! What is promised when things break: real processes, real signals, real load. Whatever was answered 200 is in the log,
//! sessions are what the log says, and none was made up.
//!
//! The short form runs with all tests; `scripts/faults` runs the full one and prints what each did.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod crowd;
mod crowds;
mod kills;
mod load;
mod network;
mod outages;
mod proxy;
mod proxy_rules;
mod several;
mod shared;
mod shedding;
mod verdict;
mod webhooks;

fn is_full() -> bool {
    std::env::var_os("STREAMTALLY_FAULTS").is_some_and(|form| form == "full")
}

/// How often something is done: so often in the short form, so often in the full one.
fn times(short: u32, full: u32) -> u32 {
    if is_full() { full } else { short }
}
