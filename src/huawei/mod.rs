//! Huawei Cloud Live: its callbacks, their signatures, and whether they count.
//!
//! Pure: no I/O, no clock, no settings. `now` and everything known about a domain are arguments, so each rule can be
//! tested alone.
//!
//! - [`notification`]: parses the wire format; [`composing`]: writes it. Only these know the provider's field names.
//! - [`signature`]: signs and verifies.
//! - [`admission`]: accepts, quarantines or rejects.
//! - [`advice`]: advice to operators about callbacks that do not count.
//! - [`diagnosis`]: explains a captured callback.
//! - [`live_api`]: the lists of streams that the provider has.
//! - [`masking`]: credentials in `user_args` never leave the receiving path.
//! - [`rendition`]: recognizes transcoded renditions by their names.

pub mod admission;
pub(crate) mod advice;
pub mod composing;
pub(crate) mod diagnosis;
pub mod live_api;
pub(crate) mod masking;
mod members;
pub mod notification;
pub(crate) mod rendition;
pub mod signature;
