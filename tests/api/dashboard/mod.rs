//! The dashboard, as a browser without a script sees it.

mod browser;
mod changing;
mod kiosk;
mod live;
mod looking;
mod problems;
mod provider_lists;
mod providers;
mod reports;
mod signing_in;
mod streams;
mod viewing;
