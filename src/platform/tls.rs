//! TLS: the served certificate, and reloading it when its files change.
//!
//! Both files are read completely and by path each time, so that a renewal that swaps symbolic links is detected. An
//! unusable certificate never replaces a usable one. No part of a key is ever logged.

mod validity;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::platform::clock;
use validity::Reminder;

pub use validity::{Expiry, Validity};

/// How often the files are checked.
const LOOK: Duration = Duration::from_secs(1);

/// The paths of a certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by its chain, in PEM.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A file is truncated or damaged.
    #[error("{} is not complete PEM", .0.display())]
    NotWhole(PathBuf),
    /// A file has no certificate.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// A file has no key.
    #[error("{} holds no private key in PEM (an encrypted one cannot be used)", .0.display())]
    NoKey(PathBuf),
    /// The key belongs to another certificate.
    #[error("the private key in {} does not match the certificate in {}", .0.key.display(), .0.certificate.display())]
    Mismatch(TlsFiles),
    /// The kind of certificate or key is unsupported.
    #[error("the certificate in {} with the key in {} cannot be used", files.certificate.display(), files.key.display())]
    Unusable { files: TlsFiles, source: rustls::Error },
}

/// The result of checking the files.
#[derive(Debug)]
pub enum ReloadResult {
    /// The files have not changed.
    Unchanged,
    /// The new certificate is served from now on.
    Replaced,
    /// The new files are unusable. The previous certificate is still served.
    Rejected(TlsError),
}

/// The contents of both files.
struct Contents {
    certificate: Vec<u8>,
    key: SecretSlice<u8>,
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { certificate: read(&files.certificate)?, key: read(&files.key)?.into() })
    }

    /// Detects changes without storing the contents.
    fn fingerprint(&self) -> [u8; 32] {
        let certificate = Sha256::digest(&self.certificate);
        let key = Sha256::digest(self.key.expose_secret());
        Sha256::new().chain_update(certificate).chain_update(key).finalize().into()
    }

    fn certified_key(&self, files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TlsError::NotWhole(files.certificate.clone()))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(files.certificate.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.expose_secret()).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey(files.key.clone()),
            _ => TlsError::NotWhole(files.key.clone()),
        })?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch(files.clone()),
            source => TlsError::Unusable { files: files.clone(), source },
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

/// The served certificate.
#[derive(Debug)]
struct Served {
    key: Arc<CertifiedKey>,
    /// `None` when the certificate's dates cannot be read.
    validity: Option<Validity>,
}

impl Served {
    fn new(key: CertifiedKey) -> Arc<Self> {
        let validity = key.cert.first().and_then(|certificate| Validity::of(certificate));
        Arc::new(Self { key: Arc::new(key), validity })
    }
}

/// Reads when the served certificate expires.
#[derive(Debug, Clone)]
pub struct ValidityOfServed(watch::Receiver<Arc<Served>>);

impl ValidityOfServed {
    /// The validity of the current certificate.
    pub fn get(&self) -> Option<Validity> {
        self.0.borrow().validity
    }
}

/// The served certificate, and its files.
pub struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    /// Fingerprint of the files at the last check; `None` when they could not be read.
    seen: Option<[u8; 32]>,
    served: watch::Sender<Arc<Served>>,
}

impl Certificate {
    /// Loads the files for the first time.
    ///
    /// # Errors
    /// When a file cannot be read or is unusable, or the two do not match.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let contents = Contents::read(&files)?;
        let key = contents.certified_key(&files, &provider)?;
        let seen = Some(contents.fingerprint());
        Ok(Self { files, provider, seen, served: watch::Sender::new(Served::new(key)) })
    }

    /// The configuration of a server that always uses the current certificate: TLS 1.2 and 1.3, no client certificates.
    ///
    /// # Errors
    /// None in practice: the cryptography of this program supports these versions.
    pub fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        Ok(builder.with_cert_resolver(Arc::new(Resolver(self.served.subscribe()))))
    }

    /// Checks the files once, and serves a new certificate if it is usable.
    pub fn look(&mut self) -> ReloadResult {
        let read = Contents::read(&self.files);
        let found = read.as_ref().ok().map(Contents::fingerprint);
        if found == self.seen {
            return ReloadResult::Unchanged;
        }
        self.seen = found;
        match read.and_then(|contents| contents.certified_key(&self.files, &self.provider)) {
            Ok(key) => {
                self.served.send_replace(Served::new(key));
                ReloadResult::Replaced
            }
            Err(error) => ReloadResult::Rejected(error),
        }
    }

    /// A handle that reads when the served certificate expires.
    pub fn validity(&self) -> ValidityOfServed {
        ValidityOfServed(self.served.subscribe())
    }

    /// Checks the files every second until stopped, and logs each change once. Logs daily while the certificate expires
    /// soon or has expired.
    pub async fn watch(mut self, stopped: CancellationToken) {
        let mut reminder = Reminder::default();
        reminder.look(self.validity().get(), clock::now());
        while stopped.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            match self.look() {
                ReloadResult::Unchanged => {}
                ReloadResult::Replaced => tracing::info!("TLS certificate reloaded"),
                ReloadResult::Rejected(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        error,
                        "failed to load the new TLS certificate; still serving the old one: fix the files before it \
                         expires"
                    );
                }
            }
            reminder.look(self.validity().get(), clock::now());
        }
    }
}

/// Gives each new connection the current certificate.
#[derive(Debug)]
struct Resolver(watch::Receiver<Arc<Served>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow().key))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tempfile::TempDir;

    use super::*;

    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn files(&self) -> TlsFiles {
            TlsFiles { certificate: self.0.path().join("cert.pem"), key: self.0.path().join("key.pem") }
        }

        fn write(&self, certificate: &str, key: &str) {
            fs::write(self.files().certificate, certificate).unwrap();
            fs::write(self.files().key, key).unwrap();
        }

        /// The error for the current files.
        fn refusal(&self) -> String {
            Certificate::load(self.files()).err().unwrap().to_string()
        }
    }

    /// A certificate and its key, in PEM.
    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    fn served(certificate: &Certificate) -> Vec<u8> {
        certificate.served.borrow().key.end_entity_cert().unwrap().to_vec()
    }

    #[test]
    fn what_cannot_be_served_is_named_with_what_is_wrong() {
        let folder = Folder::new();
        let (certificate, key) = pair();
        assert!(folder.refusal().starts_with("cannot read ") && folder.refusal().ends_with("cert.pem"));
        fs::write(folder.files().certificate, &certificate).unwrap();
        assert!(folder.refusal().starts_with("cannot read ") && folder.refusal().ends_with("key.pem"));
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let unknown = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (certificate, key, words) in [
            (key.as_str(), key.as_str(), "cert.pem holds no certificate in PEM"),
            ("", &key, "cert.pem holds no certificate in PEM"),
            (&certificate[..100], &key, "cert.pem is not complete PEM"),
            (&certificate, "", "key.pem holds no private key in PEM"),
            (&certificate, &certificate, "key.pem holds no private key in PEM"),
            (&certificate, encrypted, "key.pem holds no private key in PEM (an encrypted one cannot be used)"),
            (&certificate, &key[..100], "key.pem is not complete PEM"),
            (&certificate, unknown, "key.pem cannot be used"),
            (&certificate, &pair().1, "key.pem does not match the certificate in"),
        ] {
            folder.write(certificate, key);
            assert!(folder.refusal().contains(words), "{}", folder.refusal());
        }
    }

    #[test]
    fn only_what_can_be_used_takes_the_place_of_what_is_served_and_a_refusal_is_told_once() {
        let folder = Folder::new();
        let (first, second) = (pair(), pair());
        folder.write(&first.0, &first.1);
        let mut certificate = Certificate::load(folder.files()).unwrap();
        let of_first = served(&certificate);
        assert!(matches!(certificate.look(), ReloadResult::Unchanged));

        // Half of a renewal: only one file is new.
        folder.write(&second.0, &first.1);
        assert!(matches!(certificate.look(), ReloadResult::Rejected(TlsError::Mismatch(_))));
        assert!(matches!(certificate.look(), ReloadResult::Unchanged));
        folder.write(&second.0, &second.1[..50]);
        assert!(matches!(certificate.look(), ReloadResult::Rejected(TlsError::NotWhole(_))));
        fs::remove_file(folder.files().key).unwrap();
        assert!(matches!(certificate.look(), ReloadResult::Rejected(TlsError::Unreadable { .. })));
        assert!(matches!(certificate.look(), ReloadResult::Unchanged));
        assert_eq!(served(&certificate), of_first);

        folder.write(&second.0, &second.1);
        assert!(matches!(certificate.look(), ReloadResult::Replaced));
        assert!(matches!(certificate.look(), ReloadResult::Unchanged));
        assert_ne!(served(&certificate), of_first);
    }

    #[test]
    fn a_renewal_that_swaps_symbolic_links_is_seen() {
        let folder = Folder::new();
        let swap = |version: &str, (certificate, key): (String, String)| {
            for (name, path, text) in
                [("cert", folder.files().certificate, certificate), ("key", folder.files().key, key)]
            {
                let file = folder.0.path().join(format!("{name}{version}"));
                fs::write(&file, text).unwrap();
                let _ = fs::remove_file(&path);
                std::os::unix::fs::symlink(file, path).unwrap();
            }
        };
        swap("1", pair());
        let mut certificate = Certificate::load(folder.files()).unwrap();
        swap("2", pair());
        assert!(matches!(certificate.look(), ReloadResult::Replaced));
    }
}
