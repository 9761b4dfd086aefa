//! streamtally keeps every live push that Huawei Cloud Live reports, and answers what is live and for how long.
//!
//! # The way of a message
//!
//! [`http`] receives a callback. [`huawei`] parses it, verifies it, and judges whether it counts. [`event_log`] puts
//! it into the log, together with whatever else has gathered, in one commit; only then is it answered 200. What is
//! refused is counted by [`rejection`], and not believed. The [`reconciler`] folds the log into sessions by the pure rules of [`session`]. [`query`] reads them for
//! callers, and [`report`] counts them for bills, as of a moment.
//!
//! # What everything rests on
//!
//! - The log is the truth: nothing changes a session but an entry of the log, and folding is pure, so that all
//!   sessions can be made anew from it, as far back as it is kept.
//! - Whoever has read a shard of the log up to a position will never later find a new entry at or below it.
//! - 200 means durable: the message survives `kill -9` of this process and of the database one moment later.
//!
//! # Where things are
//!
//! Imports run one way: [`http`] and [`command`] use [`query`], [`report`], [`reconciler`], [`event_log`], [`rejection`],
//! [`registry`] and [`access`]; those use [`store`]; that and all of them use the pure rooms [`session`] and [`huawei`],
//! which know no I/O and no clock. [`simulation`] is a pure room, too, for [`command`] and the [`demo`]. [`app`]
//! puts the service together; [`sampling`] looks at it for the metrics, which [`telemetry`] names. [`database_clock`] says
//! whether the log's times can be relied on. [`local_store`] is what a receiver keeps on disk for the time when the database
//! is unreachable.

pub mod access;
pub mod app;
pub mod clock;
pub mod command;
pub mod config;
pub mod data_dir;
pub mod database_clock;
pub mod demo;
pub mod event_log;
pub mod http;
pub mod huawei;
pub mod local_store;
pub mod model;
pub mod open_files;
pub mod postgres;
pub mod privileges;
pub mod query;
pub mod reconciler;
pub mod registry;
pub mod rejection;
pub mod report;
pub mod request_id;
pub mod sampling;
pub mod session;
pub mod simulation;
pub mod store;
pub mod telemetry;
pub mod tls;
