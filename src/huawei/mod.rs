//! What Huawei Cloud Live sends, and whether to believe it.
//!
//! Pure: no I/O, no clock, no settings read from anywhere. `now` and everything that is known of a domain are
//! arguments, so that each rule can be tested by itself.
//!
//! - [`notification`]: the wire format: reading it; [`composing`]: writing it. The only places that know the provider's
//!   field names.
//! - [`signature`]: how a message is signed, and whether a signature fits.
//! - [`admission`]: accept, quarantine or refuse.
//! - [`advice`]: what to tell a person about what did not count.
//! - [`masking`]: credentials in `user_args` never leave the receiving path.
//! - [`rendition`]: which stream names are transcoded renditions of which.

pub mod admission;
pub(crate) mod advice;
pub mod composing;
pub(crate) mod masking;
mod members;
pub mod notification;
pub(crate) mod rendition;
pub mod signature;
