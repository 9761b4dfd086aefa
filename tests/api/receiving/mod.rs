//! Callbacks: accepted, quarantined or rejected, and durable before they are answered.

mod bulk_release;
mod callbacks;
mod client_address;
mod durability;
mod field;
mod forgeries;
mod kept_rejections;
mod quarantine;
mod rejections;
mod retry;
mod spool;
