//! Reads the provider's own lists of streams, with the provider accounts that administrators enter.
//!
//! The provider's callbacks stay the first source; its lists are the second. What follows from them is appended to the
//! event log, and only where the domain's mode is `repair`.
//!
//! - [`admin`]: creates, changes and deletes provider accounts.
//! - [`secrets`]: their encrypted secret keys.
//! - [`client`]: asks the provider. It was tried against a fake of the provider only.
//! - [`check`]: compares a domain's settings at the provider with ours.
//! - [`poller`]: starts and stops the domains that are polled.
//! - `domain`: polls a domain, and stores what follows.
//! - `account`: an account that is used within its limits.
//! - [`budget`]: how many requests an account may send, and for how long they are paused after failures.
//! - [`lists`]: reads the list of streams on air.
//! - [`watch`]: compares the sessions of a domain with the list, and concludes which have ended.
//! - [`turn`]: a turn of a domain.
//! - [`history`]: finds the end of a push in the provider's history.
//! - [`missed`]: finds pushes in the history for which no callback was received.
//! - `look_up`: looks both up for a domain.

mod account;
pub mod admin;
pub mod budget;
pub mod check;
pub mod client;
mod domain;
pub mod history;
pub mod lists;
mod look_up;
pub mod missed;
pub mod poller;
pub mod secrets;
pub mod turn;
pub mod watch;
