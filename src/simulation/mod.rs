//! Made-up pushes that go as real ones do: for load, and for the demo.
//!
//! Pure: no clock and no I/O, and a seed gives the same messages for ever.
//!
//! - [`duration_profile`]: how long pushes and breaks are, and what goes wrong with messages.
//! - [`push_lifecycle`]: the messages of many streams, in the order in which they are sent.

pub(crate) mod duration_profile;
pub(crate) mod push_lifecycle;
