//! The program as its users run it: a real `serve` on a folder of its own, commands beside it, real signals, and what
//! is left on disk and in the process table. Nothing is known of it but its command line, `/readyz`, `/metrics`, its
//! exit status and what it prints.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod collector;
mod command_line;
mod compose;
mod crash;
mod damage;
mod demo;
mod diagnose;
mod documents;
mod examples;
mod guest;
mod health;
mod image;
mod logs;
mod main_job;
mod master_key;
mod monitoring;
mod open_files;
mod privileges;
mod rebuild;
mod refusal;
mod repair_clock;
mod replica;
mod report;
mod secrets;
mod settings;
mod simulate;
mod start;
mod stop;
mod systemd;
mod tls;
mod traces;
mod transfer;
mod with_database;
