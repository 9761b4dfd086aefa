//! Relays the provider's callbacks to further receivers, byte for byte, so that those go on as before.

use uuid::Uuid;

use crate::registry::master_key::{MasterKeyError, SealingKey};
use crate::store::relay::{SealedBody, SealedBodyRow};

/// What a body is bound to: it cannot be read as that of another domain, nor as a kept rejection.
fn place(domain: &str) -> Vec<u8> {
    [b"relay\0".as_slice(), domain.as_bytes()].concat()
}

/// Encrypts the body of a callback for its relays.
pub fn seal_body(
    key: &SealingKey,
    webhook_ids: Vec<Uuid>,
    domain: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> SealedBody {
    let content_type = content_type.map(str::to_owned);
    SealedBody { webhook_ids, domain: domain.to_owned(), content_type, sealed: key.seal(&place(domain), body) }
}

/// # Errors
/// [`MasterKeyError::Wrong`] if it was encrypted with another key or for another domain, or altered.
pub fn open_body(key: &SealingKey, body: &SealedBodyRow) -> Result<Vec<u8>, MasterKeyError> {
    key.open(&place(&body.domain), &body.sealed)
}
