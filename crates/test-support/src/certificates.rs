//! Certificates of a test's own, and clients that trust them and no others.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Client, ClientBuilder};

/// An authority that a test trusts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for 127.0.0.1 and its key, in PEM.
    pub fn issue(&self) -> (String, String) {
        self.issue_with(|_| {})
    }

    /// The same, changed.
    pub fn issue_with(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        change(&mut params);
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// A client that trusts this authority alone.
    pub fn client(&self) -> Client {
        self.client_with(|builder| builder)
    }

    pub fn client_with(&self, configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
        let authority = reqwest::Certificate::from_pem(self.0.pem().as_bytes()).unwrap();
        configure(Client::builder().tls_certs_only([authority])).build().unwrap()
    }
}

/// A folder with the two files that a service is told of.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn with(pair: (String, String)) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.put(pair);
        files
    }

    pub fn put(&self, (certificate, key): (String, String)) {
        fs::write(self.certificate(), certificate).unwrap();
        fs::write(self.key(), key).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn certificate(&self) -> PathBuf {
        self.path().join("cert.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.path().join("key.pem")
    }

    /// The settings that name them.
    pub fn settings(&self) -> [String; 4] {
        let [certificate, key] = [self.certificate(), self.key()].map(|path| path.to_str().unwrap().to_owned());
        ["--tls-cert".to_owned(), certificate, "--tls-key".to_owned(), key]
    }
}
