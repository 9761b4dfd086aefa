//! Sessions, and how events of the log change them.
//!
//! Pure: no I/O, no clock, no settings. Business times are arguments.
//!
//! - [`address`]: compares addresses.
//! - [`key`]: keys and ids of streams and sessions, and their shard.
//! - [`entry`]: the facts about a session that an event contains.
//! - [`mod@fold`]: the state of a session, and how an event changes it.
//! - [`lifecycle`]: derives from that state whether the session is live or ended, since when, and why.
//! - [`outcome`]: what was known of a session at each `as_of`.

pub(crate) mod address;
pub mod entry;
pub mod fold;
pub(crate) mod key;
pub mod lifecycle;
pub mod outcome;

pub use entry::{Details, Entry, Fact, Unlisted};
pub use fold::{Session, fold};
pub use key::{SessionId, SessionKey, StreamId, StreamKey};
