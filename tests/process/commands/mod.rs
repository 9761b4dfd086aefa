//! Commands, as people and scripts run them.

mod client;
mod command_line;
mod creating;
mod demo;
mod diagnose;
mod domain;
mod events;
mod guest;
mod master_key;
mod provider;
mod rebuild;
mod rejections;
mod repair_clock;
mod report;
mod simulate;
mod transfer;
mod with_database;
