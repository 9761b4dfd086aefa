//! Pages: limits and cursors.
//!
//! A cursor contains the start of the next page. It is encrypted and authenticated, and bound to the path and the
//! filters of its request; a request with others rejects it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::api::cursor_cipher::CursorCipher;
use crate::api::query_reader::QueryReader;
use crate::query::Rows;

/// The format of cursors. Increase it with every change, so that old cursors are rejected.
const VERSION: &str = "1";

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 500;

/// The parameters of every list.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `PageRequest` reads")]
pub struct PageParameters {
    /// Maximum number of rows.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the previous page. All filters must be the same.
    #[param(min_length = 1, max_length = 8192, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// The requested page; `T` is the key of the last row before it.
#[derive(Debug, Clone)]
pub struct PageRequest<T> {
    pub limit: u16,
    /// The last row of the previous page; `None` for the first page.
    pub after: Option<T>,
    cipher: Option<CursorCipher>,
    bound_to: String,
}

impl<T: Serialize + DeserializeOwned> PageRequest<T> {
    /// Parses `limit` and `cursor`. Call it before any filter is parsed: the cursor is bound to all of them.
    #[must_use]
    pub fn from_query(query: &mut QueryReader) -> Self {
        let limit = query.integer("limit", 1..=MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        let cursor = query.cursor();
        let cipher = query.cipher();
        let bound_to = format!("{VERSION}\0{}\0{}", query.path(), query.remaining());
        let after = cursor.and_then(|cursor| {
            let after = cipher.as_ref().and_then(|cipher| cipher.open(&bound_to, &cursor));
            if after.is_none() {
                query.reject("cursor", "is not a cursor of this list with these filters");
            }
            after
        });
        Self { limit: u16::try_from(limit).unwrap_or_default(), after, cipher, bound_to }
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
            last.zip(self.cipher.as_ref()).and_then(|(row, cipher)| cipher.seal(&self.bound_to, &key_of(row)));
        (rows.rows.into_iter().map(view).collect(), next_cursor)
    }
}

impl<T: Serialize + DeserializeOwned + Ord> PageRequest<T> {
    /// A page of a short list in memory, ordered by key.
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
