//! Huawei Cloud Live: its callbacks, their signatures, and whether they count.
//!
//! Pure: no I/O, no clock, no settings. `now` and everything known about a domain are arguments, so each rule can be
//! tested alone.
//!
//! - [`notification`]: parses the wire format; [`composing`]: writes it. Only these know the provider's field names.
//! - [`signature`]: signs and verifies.
//! - [`admission`]: accepts, quarantines or rejects.
//! - [`advice`]: advice to operators about callbacks that do not count.
//! - [`capture`]: facts about a captured callback that need no key.
//! - [`diagnosis`]: the way in which a captured callback was signed.
//! - [`masking`]: credentials in `user_args` never leave the receiving path.
//! - [`rendition`]: recognizes transcoded renditions by their names.

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
