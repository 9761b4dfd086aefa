//! Queries of dashboards and support.
//!
//! Every answer is read in one snapshot and has its time (`as_of`). Queries read only the domains that the caller may
//! see: filters include them, so no query can forget.

pub(crate) mod broadcasts;
pub(crate) mod changes;
pub(crate) mod events;
pub mod inactivity;
pub(crate) mod live;
pub mod provider_lists;
pub(crate) mod rejections;
pub(crate) mod sessions;
pub(crate) mod streams;

/// The rows of one page, and whether more follow.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    /// At most as many as requested.
    pub rows: Vec<T>,
    pub more: bool,
}

impl<T> Rows<T> {
    /// Makes a page of rows that were read with a limit one higher.
    pub fn of(mut rows: Vec<T>, limit: u16) -> Self {
        let more = rows.len() > usize::from(limit);
        rows.truncate(usize::from(limit));
        Self { rows, more }
    }
}
