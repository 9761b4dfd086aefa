//! What the program is delivered with: image, compose file, systemd unit, documents, examples, monitoring,
//! workbooks.

mod compose;
mod documents;
mod examples;
mod image;
mod monitoring;
mod spreadsheets;
mod systemd;
