//! What a session is, and how entries of the log make one.
//!
//! Pure: no I/O, no clock, no settings. Business times are arguments.
//!
//! - [`address`]: addresses as they are compared.
//! - [`key`]: what identifies a stream and a session, their ids, and the shard they live in.
//! - [`entry`]: what an entry of the log can say about a session.
//! - [`mod@fold`]: the state of a session, and how an entry changes it.
//! - [`lifecycle`]: what follows from that state: live or ended, since when, and why.
//! - [`outcome`]: what could be told of it at each moment.

pub(crate) mod address;
pub mod entry;
pub mod fold;
pub(crate) mod key;
pub mod lifecycle;
pub mod outcome;

pub use entry::{Details, Entry, Fact};
pub use fold::{Session, fold};
pub use key::{SessionId, SessionKey, StreamId, StreamKey};
