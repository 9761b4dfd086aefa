//! streamtally tracks the live pushes that Huawei Cloud Live reports: which streams are live, and for how long.
//!
//! # Life of a callback
//!
//! [`http`] receives it. [`huawei`] parses it, authenticates it, and decides whether it counts. [`event_log`] appends
//! it to the log, in one commit with other callbacks that have gathered; only then is it answered 200. [`rejection`]
//! counts rejected callbacks. The [`reconciler`] folds the log into sessions by the pure rules of [`session`].
//! [`query`] reads them for callers, and [`report`] counts them for billing, as of an instant.
//!
//! # Invariants
//!
//! - The log is the truth: only an event of the log changes a session, and folding is pure, so all sessions can be
//!   folded again from it, as far back as it is kept.
//! - A reader that has read a shard of the log up to a position will never find a new event at or below it.
//! - 200 means durable: the callback survives `kill -9` of this process and of the database one moment later.
//!
//! # Layers
//!
//! Imports go down only; `tests/architecture.rs` enforces it. `docs/ARCHITECTURE.md` says more. Modules are public only where
//! the program, tests or benchmarks use them.
//!
//! | layer | what |
//! |---|---|
//! | [`cli`] | one file per command |
//! | [`service`], [`demo`] | builds and runs the service; a simulated provider for the demo |
//! | [`dashboard`] | pages |
//! | [`http`] | the route table, one file per resource |
//! | [`app`] | what requests share: state, connections, limits |
//! | [`api`] | the contract without handlers: problems, pages, cursors, the query reader |
//! | [`delivery`], [`polling`] | sends webhooks and relays callbacks; reads the provider's own lists |
//! | [`query`], [`report`], [`rejection`], [`config`] | queries of dashboards and support; reports for billing; rejected callbacks; settings |
//! | [`event_log`] | appends to the log; the spool |
//! | [`reconciler`] | folds, infers ends, rebuilds, drops and redacts |
//! | [`registry`], [`access`] | domains and their keys; tokens, scopes and the audit log |
//! | [`store`] | all SQL |
//! | [`huawei`], [`session`], [`simulation`] | pure rules: no I/O, no clock |
//! | [`platform`], [`telemetry`] | clock, files, TLS, the local store; logs, metrics, traces |
//! | [`model`] | every closed set, once |

pub mod access;
mod api;
pub mod app;
pub mod cli;
pub mod config;
mod dashboard;
pub mod delivery;
mod demo;
pub mod event_log;
pub mod http;
pub mod huawei;
pub mod model;
pub mod platform;
pub mod polling;
pub mod query;
pub mod reconciler;
pub mod registry;
mod rejection;
pub mod report;
pub mod service;
pub mod session;
pub mod simulation;
pub mod store;
pub mod telemetry;
