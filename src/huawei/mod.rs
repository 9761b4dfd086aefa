//! What Huawei Cloud Live sends, and whether to believe it.
//!
//! Pure: no I/O, no clock, no settings read from anywhere. `now` and everything that is known of a domain are
//! arguments, so that each rule can be tested by itself.
//!
//! - [`notification`]: the wire format: reading it; [`composing`]: writing it. The only places that know the provider's
//!   field names.
//! - [`signature`]: how a message is signed, and whether a signature fits.
//! - [`admission`]: accept, quarantine or reject.
//! - [`advice`]: what to tell a person about what did not count.
//! - [`capture`]: what can be seen of a captured message without any key.
//! - [`diagnosis`]: which way of signing a captured message fits.
//! - [`masking`]: credentials in `user_args` never leave the receiving path.
//! - [`rendition`]: which stream names are transcoded renditions of which.

pub mod admission;
pub mod advice;
pub mod capture;
pub mod composing;
pub mod diagnosis;
pub mod masking;
mod members;
pub mod notification;
pub mod rendition;
pub mod signature;
