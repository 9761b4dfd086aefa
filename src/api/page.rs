//! Pages: limits and cursors.
//!
//! A cursor says where the next page begins. It is sealed, so that it tells its holder nothing and cannot be made up, and
//! bound to the path and the filters that it was given out with: with others it is refused, never guessed at.

use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::api::cursor_cipher::CursorCipher;
use crate::api::query_reader::QueryReader;
use crate::query::Rows;

/// The format of cursors. To be raised when it changes, so that old ones are refused.
const VERSION: &str = "1";

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 500;

/// The parameters of every list.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `PageRequest` reads")]
pub struct PageParameters {
    /// The most rows to give.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u16>,
    /// Where to go on: `next_cursor` of the page before, with the same filters.
    #[param(min_length = 1, max_length = 8192, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// Which page is asked for; `T` is the key of the last row before it.
#[derive(Debug, Clone)]
pub struct PageRequest<T> {
    /// The most rows to give.
    pub limit: u16,
    /// The last row of the page before; `None` on the first page.
    pub after: Option<T>,
    sealer: Option<CursorCipher>,
    bound_to: String,
}

impl<T: Serialize + DeserializeOwned> PageRequest<T> {
    /// Reads `limit` and `cursor`. To be called before any filter is read, since the cursor is bound to all of them.
    #[must_use]
    pub fn from_query(query: &mut QueryReader) -> Self {
        let limit = query.integer("limit", 1..=MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        let cursor = query.cursor();
        let sealer = query.sealer();
        let bound_to = format!("{VERSION}\0{}\0{}", query.path(), query.remaining());
        let after = cursor.and_then(|cursor| {
            let after = sealer.as_ref().and_then(|sealer| sealer.open(&bound_to, &cursor));
            if after.is_none() {
                query.refuse("cursor", "is not a cursor of this list with these filters");
            }
            after
        });
        Self { limit: u16::try_from(limit).unwrap_or_default(), after, sealer, bound_to }
    }

    /// The page of these rows; `key_of` gives the key of a row.
    pub fn page<Row, View>(
        &self,
        rows: Rows<Row>,
        key_of: impl Fn(&Row) -> T,
        view: impl FnMut(Row) -> View,
    ) -> (Vec<View>, Option<String>) {
        let last = rows.rows.last().filter(|_| rows.more);
        let next_cursor =
            last.zip(self.sealer.as_ref()).and_then(|(row, sealer)| sealer.seal(&self.bound_to, &key_of(row)));
        (rows.rows.into_iter().map(view).collect(), next_cursor)
    }
}

impl<T: Serialize + DeserializeOwned + Ord> PageRequest<T> {
    /// The page of a short list that is at hand as a whole, in the order of its keys.
    pub fn page_of_whole<Row, View>(
        &self,
        rows: Vec<Row>,
        key_of: impl Fn(&Row) -> T,
        view: impl FnMut(Row) -> View,
    ) -> (Vec<View>, Option<String>) {
        let follows = |row: &Row| self.after.as_ref().is_none_or(|after| key_of(row) > *after);
        let rows = rows.into_iter().filter(follows).take(usize::from(self.limit) + 1).collect();
        self.page(Rows::of(rows, self.limit), &key_of, view)
    }
}
