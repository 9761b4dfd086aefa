//! Explains a captured callback: what can be seen of it without a key, and which way of signing fits. Shows no secrets.
//!
//! Admission does not depend on this: it knows only one way of signing.

pub mod capture;
pub mod signing;
