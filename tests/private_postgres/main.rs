//! The private PostgreSQL, seen from outside: a real `serve` on a folder of its own, real signals,
//! and what is left on disk and in the process table. Nothing is known of the service but its
//! command line, `/readyz`, its exit status and its standard error.

mod crash;
mod guest;
mod home;
mod refusal;
mod service;
mod start;
mod stop;
