//! Reads the provider's own lists of streams, with the provider accounts that administrators enter.
//!
//! The provider's callbacks stay the first witness; its lists are the second.
//!
//! - [`admin`]: creates, changes and deletes provider accounts.
//! - [`secrets`]: their encrypted secret keys.
//! - [`client`]: asks the provider. It was tried against a fake of the provider only.
//! - [`check`]: compares a domain's settings at the provider with ours.

pub mod admin;
pub mod check;
pub mod client;
pub mod secrets;
