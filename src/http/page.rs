//! Pages: limits and cursors.
//!
//! A cursor says where the next page begins. It is sealed, so that it tells its holder nothing and cannot be made up, and
//! bound to the path and the filters that it was given out with: with others it is refused, never guessed at.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::query_string::QueryReader;
use crate::query::Rows;

/// The format of cursors. To be raised when it changes, so that old ones are refused.
const VERSION: &str = "1";

const NONCE_BYTES: usize = 24;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 500;

/// Seals cursors, under a key that all processes of an installation share.
///
/// Equal cursors are sealed alike, so that equal answers have equal bytes: the nonce is a code of what is sealed, which is
/// as good as random, and comes again only with the same.
#[derive(Clone)]
pub struct Cursors {
    cipher: XChaCha20Poly1305,
    nonces: Hmac<Sha256>,
}

impl fmt::Debug for Cursors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cursors(..)")
    }
}

impl Cursors {
    /// Seals under this key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // What one key would do for both is kept apart by hashing.
        let nonces = Sha256::new_with_prefix(b"nonces of cursors").chain_update(key).finalize();
        let nonces = KeyInit::new_from_slice(&nonces).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        Self { cipher: XChaCha20Poly1305::new(&(*key).into()), nonces }
    }

    fn nonce_of(&self, bound_to: &[u8], after: &[u8]) -> [u8; NONCE_BYTES] {
        let mut code = self.nonces.clone();
        code.update(&u64::try_from(bound_to.len()).unwrap_or(u64::MAX).to_be_bytes());
        code.update(bound_to);
        code.update(after);
        let code = code.finalize().into_bytes();
        let mut nonce = [0; NONCE_BYTES];
        nonce.iter_mut().zip(code).for_each(|(byte, code)| *byte = code);
        nonce
    }

    pub(super) fn seal<T: Serialize>(&self, bound_to: &str, after: &T) -> Option<String> {
        let after = serde_json::to_vec(after).ok()?;
        let nonce = self.nonce_of(bound_to.as_bytes(), &after);
        let payload = Payload { msg: &after, aad: bound_to.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    pub(super) fn open<T: DeserializeOwned>(&self, bound_to: &str, cursor: &str) -> Option<T> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: bound_to.as_bytes() };
        serde_json::from_slice(&self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?).ok()
    }
}

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
    cursors: Cursors,
    bound_to: String,
}

impl<T: Serialize + DeserializeOwned> PageRequest<T> {
    /// Reads `limit` and `cursor`. To be called before any filter is read, since the cursor is bound to all of them.
    #[must_use]
    pub fn from_query(query: &mut QueryReader) -> Self {
        let limit = query.integer("limit", 1..=MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        let cursor = query.cursor();
        let cursors = query.cursors();
        let bound_to = format!("{VERSION}\0{}\0{}", query.path(), query.remaining());
        let after = cursor.and_then(|cursor| {
            let after = cursors.open(&bound_to, &cursor);
            if after.is_none() {
                query.refuse("cursor", "is not a cursor of this list with these filters");
            }
            after
        });
        Self { limit: u16::try_from(limit).unwrap_or_default(), after, cursors, bound_to }
    }

    /// The page of these rows; `key_of` gives the key of a row.
    pub fn page<Row, View>(
        &self,
        rows: Rows<Row>,
        key_of: impl Fn(&Row) -> T,
        view: impl FnMut(Row) -> View,
    ) -> (Vec<View>, Option<String>) {
        let last = rows.rows.last().filter(|_| rows.more);
        let next_cursor = last.and_then(|row| self.cursors.seal(&self.bound_to, &key_of(row)));
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
