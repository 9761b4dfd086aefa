//! A service from its start to its stop: folders, settings, secrets, kills, logs and traces.

mod collector;
mod crash;
mod damage;
mod health;
mod logs;
mod main_job;
mod names;
mod open_files;
mod privileges;
mod provider;
mod refusal;
mod replica;
mod secrets;
mod settings;
mod start;
mod stop;
mod tls;
mod traces;
