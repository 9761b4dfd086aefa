//! A fake of the provider's API of streams, over a simulated world of pushes, for property tests and simulations.
//!
//! [`FakeApi`] is the core: pure, without sockets and without a clock. A test adds pushes to its [`World`] and passes
//! requests with their time of arrival. [`Server`] serves the same over HTTP, by a clock of the test.
//!
//! ```text
//! Request ── faults ── gateway ── streams │ history │ notifications ── Reply
//!              │          │                  │
//!          Settings    Account             World
//! ```
//!
//! - `signature` verifies requests. It is written from the specification and shares no code with the client.
//! - `gateway` authenticates and limits requests.
//! - `streams`, `history` and `notifications` are the three APIs; `lists` is what the first two share.
//! - `faults` are the ways in which requests fail; `dice` makes all random choices.
//!
//! Invariants: replies depend only on the seed, the settings, the world and the requests so far, so a seed replays a
//! test. What [`Settings`] do not allow does not happen: with the default, a push is listed from at most 4 minutes after its
//! start until at most 4 minutes after its end.
//!
//! To add a behavior, add a field to [`Settings`] whose default is a well-behaved provider.

mod api;
mod dice;
mod faults;
mod gateway;
mod history;
mod http;
mod lists;
mod message;
mod notifications;
mod request_log;
mod respond;
mod server;
mod settings;
mod signature;
mod streams;
#[cfg(test)]
mod testing;
mod world;

pub use self::{
    api::FakeApi,
    faults::FaultKind,
    message::{Answer, Reply, Request},
    request_log::{LoggedRequest, busiest_period},
    server::{Clock, Server},
    settings::{
        Account, Api, EmptyList, ErrorShape, Limits, Order, Outage, OutageKind, SameName, Settings, Throttling,
        UnknownDomain,
    },
    world::{CallbackArea, CallbackConfiguration, Push, PushId, PushSource, World},
};
