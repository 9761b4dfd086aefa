//! What the program is delivered with: image, compose file, systemd unit, documents, examples, monitoring.

mod compose;
mod documents;
mod examples;
mod image;
mod monitoring;
mod systemd;
