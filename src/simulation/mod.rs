//! Simulated pushes with realistic behavior, for load tests, for the demo and for measurements.
//!
//! Pure: no clock and no I/O. The same seed always gives the same callbacks.
//!
//! - [`duration_profile`]: durations of pushes and breaks, and anomalies of callbacks.
//! - [`push_lifecycle`]: the callbacks of many streams, in the order in which they are sent.

pub mod duration_profile;
pub mod push_lifecycle;
