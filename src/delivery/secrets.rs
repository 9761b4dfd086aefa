//! What a webhook keeps secret, encrypted with the master key.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::signature::WebhookSecret;
use crate::registry::master_key::{MasterKey, MasterKeyError, WEBHOOK_HEADERS, WEBHOOK_SECRET};

const MAX_HEADERS: usize = 20;
const MAX_HEADER_BYTES: usize = 4_096;

/// Headers that the service sets, or that would change the meaning of the request.
const RESERVED: [&str; 9] =
    ["host", "connection", "transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive", "user-agent"];
const RESERVED_PREFIXES: [&str; 4] = ["content-", "webhook-", "proxy-", "x-streamtally-"];

/// Why headers cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    #[error("must be at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes in total")]
    TooMany,
    #[error("{0:?} is not the name of a header")]
    Name(String),
    #[error("{0:?} is set by the service")]
    Reserved(String),
    /// The value is a secret.
    #[error("the value of {0:?} must be one line of visible ASCII characters")]
    Value(String),
}

/// Further headers of a webhook, such as `Authorization`.
pub fn read_headers(headers: &BTreeMap<String, String>) -> Result<HeaderMap, HeadersError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(HeadersError::TooMany);
    }
    let mut read = HeaderMap::new();
    for (given, value) in headers {
        let name = HeaderName::from_bytes(given.as_bytes()).map_err(|_| HeadersError::Name(given.clone()))?;
        let text = name.as_str();
        if RESERVED.contains(&text) || RESERVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            return Err(HeadersError::Reserved(given.clone()));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| HeadersError::Value(given.clone()))?;
        value.set_sensitive(true);
        if read.insert(name, value).is_some() {
            return Err(HeadersError::Name(given.clone()));
        }
    }
    Ok(read)
}

pub fn seal_secret(master_key: &MasterKey, webhook_id: Uuid, secret: &WebhookSecret) -> Vec<u8> {
    master_key.seal(webhook_id, WEBHOOK_SECRET, &secret.to_text())
}

/// # Errors
/// [`MasterKeyError::Wrong`] if it was encrypted with another master key, or altered.
pub fn open_secret(master_key: &MasterKey, webhook_id: Uuid, sealed: &[u8]) -> Result<WebhookSecret, MasterKeyError> {
    let text = master_key.open(webhook_id, WEBHOOK_SECRET, sealed)?;
    WebhookSecret::from_text(&text).map_err(|_| MasterKeyError::Wrong)
}

pub fn seal_headers(master_key: &MasterKey, webhook_id: Uuid, headers: &BTreeMap<String, String>) -> Vec<u8> {
    let text = serde_json::to_string(headers).unwrap_or_else(|_| unreachable!("a map of texts is JSON"));
    master_key.seal(webhook_id, WEBHOOK_HEADERS, &SecretString::from(text))
}

/// # Errors
/// [`MasterKeyError::Wrong`] if they were encrypted with another master key, or altered.
pub fn open_headers(master_key: &MasterKey, webhook_id: Uuid, sealed: &[u8]) -> Result<HeaderMap, MasterKeyError> {
    let text = master_key.open(webhook_id, WEBHOOK_HEADERS, sealed)?;
    let headers = serde_json::from_str(text.expose_secret()).map_err(|_| MasterKeyError::Wrong)?;
    read_headers(&headers).map_err(|_| MasterKeyError::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Result<HeaderMap, HeadersError> {
        read_headers(&headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn headers_of_the_service_cannot_be_set() {
        assert!(read(&[("Authorization", "Bearer secret"), ("X-Team", "video")]).is_ok());
        for name in ["Host", "Content-Type", "webhook-id", "X-Streamtally-Installation", "Connection", "Content-Length"]
        {
            assert_eq!(read(&[(name, "x")]), Err(HeadersError::Reserved(name.to_owned())));
        }
    }

    #[test]
    fn a_header_cannot_smuggle_another() {
        assert_eq!(read(&[("X Y", "x")]), Err(HeadersError::Name("X Y".to_owned())));
        let error = read(&[("X-Token", "secret\r\nHost: other")]).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(read(&[("X-A", "1"), ("x-a", "2")]), Err(HeadersError::Name("x-a".to_owned())));
        assert_eq!(read(&[("X-Long", &"x".repeat(MAX_HEADER_BYTES))]), Err(HeadersError::TooMany));
    }

    #[test]
    fn what_is_encrypted_for_one_webhook_is_not_of_another() {
        let master_key = MasterKey::generate();
        let [one, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let secret = WebhookSecret::generate();
        let sealed = seal_secret(&master_key, one, &secret);
        let opened = open_secret(&master_key, one, &sealed).unwrap();
        assert_eq!(opened.to_text().expose_secret(), secret.to_text().expose_secret());
        assert!(open_secret(&master_key, other, &sealed).is_err());
        assert!(open_headers(&master_key, one, &sealed).is_err());
    }
}
