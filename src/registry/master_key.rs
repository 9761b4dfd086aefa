//! Callback keys at rest: sealed under one master key with XChaCha20-Poly1305.
//!
//! The master key never leaves this module but as keys derived from it for other purposes.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;
use uuid::Uuid;

use crate::platform::data_dir::DataDirError;

const NONCE_BYTES: usize = 24;

/// The master key of an installation.
pub struct MasterKey(SecretBox<[u8; 32]>);

/// Why a master key, or something sealed under it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// It is not 32 bytes in base64.
    #[error("the master key must be 32 bytes in base64, as `openssl rand -base64 32` prints them")]
    Malformed,
    /// A file holds something else.
    #[error("{0} must hold 32 bytes in base64, as `openssl rand -base64 32` prints them")]
    MalformedFile(PathBuf),
    /// It is not the installation's.
    #[error(
        "this is not the master key of the installation, so its callback keys cannot be opened: set \
         STREAMTALLY_MASTER_KEY to that key, or bring back the file master-key of the data folder"
    )]
    Wrong,
    /// There is none, but an installation.
    #[error(
        "the master key is missing, without which the callback keys of this installation cannot be opened: set \
         STREAMTALLY_MASTER_KEY, or bring back the file master-key of the data folder"
    )]
    Missing,
    /// The environment gives the present key, so that no next one is made.
    #[error(
        "the environment gives the master key: set STREAMTALLY_NEXT_MASTER_KEY to the next one, for this command and \
         for every process of the service"
    )]
    NextMissing,
    /// A file cannot be read or written.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
}

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(SecretBox::new(Box::new(rand::random())))
    }

    /// Reads 32 bytes in base64.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`] when it is anything else.
    pub fn from_base64(text: &SecretString) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD.decode(text.expose_secret().trim()).map_err(|_| MasterKeyError::Malformed)?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| MasterKeyError::Malformed)?;
        Ok(Self(SecretBox::new(Box::new(key))))
    }

    /// The key in base64, to be kept.
    pub fn to_base64(&self) -> SecretString {
        STANDARD.encode(self.0.expose_secret()).into()
    }

    /// A code by which an installation knows its master key, without telling it.
    pub fn check(&self) -> [u8; 32] {
        self.derive("streamtally: check of the master key")
    }

    /// A key for another purpose, from which this one cannot be told.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Seals a callback key for one place: the domain's key of this id.
    pub fn seal(&self, key_id: Uuid, domain: &str, callback_key: &SecretString) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let place = place(key_id, domain);
        let payload = Payload { msg: callback_key.expose_secret().as_bytes(), aad: &place };
        let ciphertext = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .unwrap_or_else(|_| unreachable!("a key of 128 characters is not too long to seal"));
        [nonce.as_slice(), &ciphertext].concat()
    }

    /// Opens a callback key that was sealed for this place.
    ///
    /// # Errors
    /// [`MasterKeyError::Wrong`] when it was sealed under another master key or for another place, or was changed.
    pub fn open(&self, key_id: Uuid, domain: &str, sealed: &[u8]) -> Result<SecretString, MasterKeyError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(MasterKeyError::Wrong)?;
        let place = place(key_id, domain);
        let payload = Payload { msg: ciphertext, aad: &place };
        let opened = self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| MasterKeyError::Wrong)?;
        String::from_utf8(opened).map(SecretString::from).map_err(|_| MasterKeyError::Wrong)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.0.expose_secret()).into())
    }
}

fn place(key_id: Uuid, domain: &str) -> Vec<u8> {
    [key_id.as_bytes().as_slice(), domain.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn callback_key() -> SecretString {
        "k".repeat(32).into()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_under_its_master_key_alone() {
        let master_key = MasterKey::generate();
        let sealed = master_key.seal(ID, "a", &callback_key());
        let opened = master_key.open(ID, "a", &sealed).expect("opens");
        assert_eq!(opened.expose_secret(), callback_key().expose_secret());
        assert!(master_key.open(ID, "b", &sealed).is_err());
        assert!(master_key.open(Uuid::nil(), "a", &sealed).is_err());
        assert!(MasterKey::generate().open(ID, "a", &sealed).is_err());
        assert!(master_key.open(ID, "a", b"short").is_err());
        assert_ne!(sealed, master_key.seal(ID, "a", &callback_key()));
    }

    #[test]
    fn a_master_key_is_32_bytes_in_base64() {
        let key = MasterKey::generate();
        let read = MasterKey::from_base64(&key.to_base64()).expect("its own spelling");
        assert_eq!(read.derive("x"), key.derive("x"));
        assert_ne!(key.derive("x"), key.derive("y"));
        for text in ["", "c2hvcnQ=", "not base64"] {
            assert!(MasterKey::from_base64(&text.to_owned().into()).is_err());
        }
    }
}
