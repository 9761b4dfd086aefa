//! Made-up pushes that go as real ones do: for load, and for the demo.
//!
//! Pure: no clock and no I/O, and a seed gives the same messages for ever.
//!
//! - [`habits`]: how long pushes and breaks are, and what goes wrong with messages.
//! - [`life`]: the messages of many streams, in the order in which they are sent.

pub mod habits;
pub mod life;
