//! Pages: limits and cursors.
//!
//! A cursor is opaque and says where the next page begins. It is bound to the operation and the filters that it was
//! given out with: with others it is refused, never guessed at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::query_string::QueryReader;
use crate::query::Rows;

/// The format of cursors. To be raised when it changes, so that old ones are refused.
const VERSION: u8 = 1;

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
    cursor: Option<String>,
}

/// Which page is asked for; `T` is the key of the last row before it.
#[derive(Debug, Clone)]
pub struct PageRequest<T> {
    /// The most rows to give.
    pub limit: u16,
    /// The last row of the page before; `None` on the first page.
    pub after: Option<T>,
    bound_to: String,
}

#[derive(Serialize, Deserialize)]
struct Cursor<T> {
    v: u8,
    of: String,
    after: T,
}

impl<T: Serialize + DeserializeOwned> PageRequest<T> {
    /// Reads `limit` and `cursor`. To be called before any filter is read, since the cursor is bound to all of them.
    #[must_use]
    pub fn from_query(query: &mut QueryReader, operation: &str) -> Self {
        let limit = query.integer("limit", 1..=MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        let cursor = query.text("cursor");
        let digest = Sha256::digest(format!("{operation}\0\0{}", query.remaining()));
        let bound_to = hex::encode(digest.get(..8).unwrap_or_default());
        let after = cursor.and_then(|text| {
            let cursor = decode::<T>(&text).filter(|cursor| cursor.v == VERSION && cursor.of == bound_to);
            if cursor.is_none() {
                query.refuse("cursor", "is not a cursor of this operation with these filters");
            }
            cursor.map(|cursor| cursor.after)
        });
        Self { limit: u16::try_from(limit).unwrap_or_default(), after, bound_to }
    }

    /// The page of these rows; `key_of` gives the key of a row.
    pub fn page<Row, View>(
        &self,
        rows: Rows<Row>,
        key_of: impl Fn(&Row) -> T,
        view: impl FnMut(Row) -> View,
    ) -> (Vec<View>, Option<String>) {
        let last = rows.rows.last().filter(|_| rows.more);
        let next_cursor = last.map(|row| {
            let cursor = Cursor { v: VERSION, of: self.bound_to.clone(), after: key_of(row) };
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
        });
        (rows.rows.into_iter().map(view).collect(), next_cursor)
    }
}

fn decode<T: DeserializeOwned>(text: &str) -> Option<Cursor<T>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
