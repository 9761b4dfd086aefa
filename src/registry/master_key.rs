//! Encryption of callback keys at rest, with one master key and XChaCha20-Poly1305.
//!
//! The master key never leaves this module, except for being stored; other modules get keys derived from it.
//!
//! Kept rejections have a key of their own, encrypted like a callback key: so a rotation of the master key need not
//! encrypt all of them again.

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

/// Distinguishes the key of kept rejections from callback keys. No domain has this name: it contains a control character.
const REJECTION_KEY: &str = "\u{1}kept rejections";

/// The same for what a webhook keeps secret: its secret, and its further headers.
pub const WEBHOOK_SECRET: &str = "\u{1}webhook secret";
pub const WEBHOOK_HEADERS: &str = "\u{1}webhook headers";

/// The same for the secret key of a provider account.
pub const PROVIDER_SECRET_KEY: &str = "\u{1}provider secret key";

pub struct MasterKey(SealingKey);

/// A key that encrypts what the database stores.
pub struct SealingKey(SecretBox<[u8; 32]>);

#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("the master key must be 32 bytes in base64, as `openssl rand -base64 32` prints them")]
    Malformed,
    #[error("{0} must contain 32 bytes in base64, as `openssl rand -base64 32` prints them")]
    MalformedFile(PathBuf),
    /// The key belongs to another installation, or the encrypted value is damaged.
    #[error(
        "this is not the master key of the installation, so its callback keys cannot be decrypted: set \
         STREAMTALLY_MASTER_KEY to that key, or restore the file master-key of the data folder"
    )]
    Wrong,
    /// There is an installation, but no key.
    #[error(
        "the master key is missing: the callback keys of this installation cannot be decrypted. Set \
         STREAMTALLY_MASTER_KEY, or restore the file master-key of the data folder"
    )]
    Missing,
    /// The current key comes from the environment, so the next key cannot be generated.
    #[error(
        "the master key comes from the environment: set STREAMTALLY_NEXT_MASTER_KEY to the next one, for this command \
         and for every process of the service"
    )]
    NextMissing,
    #[error(transparent)]
    DataDir(#[from] DataDirError),
}

impl MasterKey {
    pub fn generate() -> Self {
        Self(SealingKey::generate())
    }

    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`] unless the text is 32 bytes in base64.
    pub fn from_base64(text: &SecretString) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD.decode(text.expose_secret().trim()).map_err(|_| MasterKeyError::Malformed)?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| MasterKeyError::Malformed)?;
        Ok(Self(SealingKey::from(key)))
    }

    pub fn to_base64(&self) -> SecretString {
        STANDARD.encode(self.0.bytes()).into()
    }

    /// A code that identifies the master key without revealing it.
    pub fn check(&self) -> [u8; 32] {
        self.derive("streamtally: check of the master key")
    }

    /// Derives a key for another purpose. The derived key does not reveal the master key.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.bytes())
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Encrypts a callback key and binds it to its ID and domain.
    pub fn seal(&self, key_id: Uuid, domain: &str, callback_key: &SecretString) -> Vec<u8> {
        self.0.seal(&place(key_id, domain), callback_key.expose_secret().as_bytes())
    }

    /// Decrypts a callback key.
    ///
    /// # Errors
    /// [`MasterKeyError::Wrong`] if it was encrypted with another master key or for another ID or domain, or if it was
    /// altered.
    pub fn open(&self, key_id: Uuid, domain: &str, sealed: &[u8]) -> Result<SecretString, MasterKeyError> {
        let opened = self.0.open(&place(key_id, domain), sealed)?;
        String::from_utf8(opened).map(SecretString::from).map_err(|_| MasterKeyError::Wrong)
    }

    /// Encrypts the key of kept rejections and binds it to its installation.
    pub fn seal_rejection_key(&self, installation_id: Uuid, key: &SealingKey) -> Vec<u8> {
        self.0.seal(&place(installation_id, REJECTION_KEY), key.bytes())
    }

    /// Decrypts the key of kept rejections.
    ///
    /// # Errors
    /// [`MasterKeyError::Wrong`], as [`Self::open`].
    pub fn open_rejection_key(&self, installation_id: Uuid, sealed: &[u8]) -> Result<SealingKey, MasterKeyError> {
        let opened = self.0.open(&place(installation_id, REJECTION_KEY), sealed)?;
        <[u8; 32]>::try_from(opened).map(SealingKey::from).map_err(|_| MasterKeyError::Wrong)
    }
}

impl SealingKey {
    pub fn generate() -> Self {
        Self::from(rand::random::<[u8; 32]>())
    }

    /// Encrypts a value and binds it to its place.
    pub fn seal(&self, place: &[u8], value: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: value, aad: place };
        let ciphertext = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .unwrap_or_else(|_| unreachable!("no value is too long to encrypt"));
        [nonce.as_slice(), &ciphertext].concat()
    }

    /// Decrypts a value.
    ///
    /// # Errors
    /// [`MasterKeyError::Wrong`] if it was encrypted with another key or for another place, or if it was altered.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, MasterKeyError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(MasterKeyError::Wrong)?;
        let payload = Payload { msg: ciphertext, aad: place };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| MasterKeyError::Wrong)
    }

    fn bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.bytes().into())
    }
}

impl From<[u8; 32]> for SealingKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
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
