//! The dashboard in a real browser: headless Chromium, driven as somebody would use it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod browser;
mod journeys;
mod providers;
mod screenshots;
mod tasks;
mod visit;
mod webhooks;
