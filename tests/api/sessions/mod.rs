//! What dashboards and support read: sessions, streams, broadcasts, and what is live.

mod broadcasts;
mod lists;
mod live;
mod live_changes;
mod paging;
mod streams;
