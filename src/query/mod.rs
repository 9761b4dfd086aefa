//! What dashboards and support ask.
//!
//! Every answer is read in one snapshot and says when that was (`as_of`). Only the domains that exist for the caller
//! are looked at: the filters carry them, so that no query can forget.

pub(crate) mod broadcasts;
pub(crate) mod changes;
pub(crate) mod events;
pub mod inactivity;
pub(crate) mod live;
pub(crate) mod rejections;
pub(crate) mod sessions;
pub(crate) mod streams;

/// Rows of one page, and whether more follow.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    /// The rows, at most as many as were asked for.
    pub rows: Vec<T>,
    pub more: bool,
}

impl<T> Rows<T> {
    /// Of rows that were asked for with one more than `limit`.
    pub fn of(mut rows: Vec<T>, limit: u16) -> Self {
        let more = rows.len() > usize::from(limit);
        rows.truncate(usize::from(limit));
        Self { rows, more }
    }
}
