//! Deliveries to other systems: events about sessions, and the provider's callbacks.
//!
//! The event log is the queue: a webhook has a cursor in each shard, and what it sends is a function of the log. Receiving
//! and folding do not know of webhooks.
//!
//! - [`admin`]: creates, changes and deletes webhooks.
//! - [`sender`]: runs a worker for each webhook; [`worker`]: sends the events of one webhook; [`open`]: its secrets.
//! - [`feed`]: reads events; [`payload`]: what they contain.
//! - [`replay`]: sends events again on request; [`lag`]: how far webhooks are behind the log.
//! - [`notices`]: what becomes true with time, such as a silent domain; [`upkeep`]: deletes what is no longer needed.
//! - [`queue`]: what is sent next; [`schedule`]: when a failed delivery is attempted again. Pure.
//! - [`relay`]: the provider's callbacks, byte for byte.
//! - [`transport`]: sends; [`answer`]: what a response means.
//! - [`secrets`], [`signature`]: encrypted secrets; signatures, by Standard Webhooks.

pub mod admin;
pub mod answer;
pub mod feed;
pub mod lag;
pub mod notices;
pub mod open;
pub mod payload;
pub mod queue;
pub mod relay;
pub mod replay;
pub mod schedule;
pub mod secrets;
pub mod sender;
pub mod signature;
pub mod test;
pub mod transport;
pub mod upkeep;
pub mod worker;
