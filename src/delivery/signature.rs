//! Signatures of outgoing deliveries, by [Standard Webhooks](https://www.standardwebhooks.com) 1.0.0.
//!
//! The signature covers the id, the time of the attempt and the body. Receivers reject an attempt whose time is off by
//! more than 5 minutes, so each attempt is signed anew.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

/// What the text of a secret begins with.
const PREFIX: &str = "whsec_";

/// Length of the secrets that the service generates, in bytes.
const LENGTH: usize = 32;

/// The secret that an endpoint shares with the service: 24 to 64 random bytes.
pub struct WebhookSecret(SecretBox<[u8]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is `whsec_`, then 24 to 64 bytes in base64")]
pub struct MalformedSecret;

impl WebhookSecret {
    pub fn generate() -> Self {
        Self(SecretBox::new(Box::new(rand::random::<[u8; LENGTH]>())))
    }

    /// # Errors
    /// [`MalformedSecret`] unless the text is a secret as [`Self::to_text`] writes it.
    pub fn from_text(text: &SecretString) -> Result<Self, MalformedSecret> {
        let encoded = text.expose_secret().strip_prefix(PREFIX).ok_or(MalformedSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| MalformedSecret)?;
        (24..=64).contains(&bytes.len()).then(|| Self(SecretBox::new(bytes.into_boxed_slice()))).ok_or(MalformedSecret)
    }

    /// `whsec_`, then the bytes in base64.
    pub fn to_text(&self) -> SecretString {
        format!("{PREFIX}{}", STANDARD.encode(self.0.expose_secret())).into()
    }

    /// One element of the header `webhook-signature`.
    fn sign(&self, id: &str, attempted_at: DateTime<Utc>, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(id.as_bytes());
        mac.update(format!(".{}.", attempted_at.timestamp()).as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The header `webhook-signature`: one element per secret. While an endpoint's secret is rotated, it has two.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a WebhookSecret>,
    id: &str,
    attempted_at: DateTime<Utc>,
    body: &[u8],
) -> String {
    let signatures: Vec<_> = secrets.into_iter().map(|secret| secret.sign(id, attempted_at, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;

    fn secret(text: &str) -> Result<WebhookSecret, MalformedSecret> {
        WebhookSecret::from_text(&text.into())
    }

    fn attempted_at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_649_367_553, 0).unwrap()
    }

    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let expected = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        assert_eq!(sign([&secret], ID, attempted_at(), BODY), expected);
    }

    #[test]
    fn each_secret_has_its_own_signature() {
        let [before, now] = [WebhookSecret::generate(), WebhookSecret::generate()];
        let both = sign([&now, &before], ID, attempted_at(), BODY);
        let each = [&now, &before].map(|secret| sign([secret], ID, attempted_at(), BODY));
        assert_eq!(both, each.join(" "));
        assert_ne!(each[0], each[1]);
    }

    #[test]
    fn a_secret_is_read_as_it_is_written_and_nothing_else_is() {
        let generated = WebhookSecret::generate();
        let read = WebhookSecret::from_text(&generated.to_text()).unwrap();
        assert_eq!(read.0.expose_secret(), generated.0.expose_secret());
        let of_length = |length: usize| format!("whsec_{}", STANDARD.encode(vec![7; length]));
        for (text, accepted) in [
            (of_length(24), true),
            (of_length(64), true),
            (of_length(23), false),
            (of_length(65), false),
            (of_length(32).replace("whsec_", ""), false),
            ("whsec_not base64".to_owned(), false),
        ] {
            assert_eq!(secret(&text).is_ok(), accepted, "{text}");
        }
    }
}
