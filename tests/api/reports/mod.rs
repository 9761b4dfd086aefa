//! Reports: how long pushes lasted, as of a moment, the same for ever.

mod concurrency;
mod golden;
mod grafana;
mod layout;
pub mod ledger;
mod model;
mod periods;
mod random;
mod sealed;
mod under_fire;
