//! Encrypts data that callers hold: cursors, resume points, and sign-in cookies.
//!
//! The data is unreadable and cannot be forged, and is bound to its purpose.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

const NONCE_BYTES: usize = 24;

/// All processes of an installation share the key.
///
/// Equal content gives equal ciphertext, so that equal responses have equal bytes: the nonce is an HMAC of the content, so it
/// repeats only for the same content.
#[derive(Clone)]
pub struct CursorCipher {
    cipher: XChaCha20Poly1305,
    nonces: Hmac<Sha256>,
}

impl fmt::Debug for CursorCipher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CursorCipher(..)")
    }
}

impl CursorCipher {
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // A derived key for the nonces, separate from the key of the cipher.
        let nonces = Sha256::new_with_prefix(b"nonces of cursors").chain_update(key).finalize();
        let nonces = KeyInit::new_from_slice(&nonces).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        Self { cipher: XChaCha20Poly1305::new(&(*key).into()), nonces }
    }

    fn nonce_of(&self, bound_to: &[u8], content: &[u8]) -> [u8; NONCE_BYTES] {
        let mut code = self.nonces.clone();
        code.update(&u64::try_from(bound_to.len()).unwrap_or(u64::MAX).to_be_bytes());
        code.update(bound_to);
        code.update(content);
        let code = code.finalize().into_bytes();
        let mut nonce = [0; NONCE_BYTES];
        nonce.iter_mut().zip(code).for_each(|(byte, code)| *byte = code);
        nonce
    }

    pub(crate) fn seal<T: Serialize>(&self, bound_to: &str, content: &T) -> Option<String> {
        let content = serde_json::to_vec(content).ok()?;
        let nonce = self.nonce_of(bound_to.as_bytes(), &content);
        let payload = Payload { msg: &content, aad: bound_to.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    pub(crate) fn open<T: DeserializeOwned>(&self, bound_to: &str, sealed: &str) -> Option<T> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: bound_to.as_bytes() };
        serde_json::from_slice(&self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?).ok()
    }
}
