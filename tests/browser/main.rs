//! The dashboard in a real browser: headless Chromium, driven as somebody would use it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod browser;
#[path = "../process/home.rs"]
#[allow(dead_code, reason = "shared")]
mod home;
mod journeys;
mod screenshots;
#[path = "../process/service.rs"]
#[allow(dead_code, reason = "shared")]
mod service;
