//! Signs and verifies callbacks.
//!
//! `auth_sign` is the hexadecimal HMAC-SHA256 of event, domain, app, stream and expiry, joined without a separator (or,
//! for some domains, with a plus sign). It does not cover `publish_timestamp`, the addresses or `user_args`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::model::access::FieldSeparator;

/// A signature: the 32 bytes of an HMAC-SHA256.
pub type Signature = [u8; 32];

/// A domain's callback key, prepared for use. `Debug` does not show it.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Accepts keys of any length; the provider requires 32 to 128 characters.
    pub fn new(key: &str) -> Self {
        Self(keyed(key.as_bytes()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKey(..)")
    }
}

/// The fields that a signature covers.
#[derive(Debug, Clone, Copy)]
pub struct SignedFields<'a> {
    pub event: &'a str,
    pub domain: &'a str,
    pub app: &'a str,
    pub stream: &'a str,
    /// Expiry of the signature, in Unix seconds.
    pub auth_timestamp: i64,
}

/// Signs as the provider does.
pub fn sign(key: &SigningKey, joiner: FieldSeparator, fields: &SignedFields<'_>) -> Signature {
    mac_of(key, joiner, fields).finalize().into_bytes().into()
}

/// Compares in constant time.
pub fn verify(key: &SigningKey, joiner: FieldSeparator, fields: &SignedFields<'_>, signature: &Signature) -> bool {
    mac_of(key, joiner, fields).verify(signature.into()).is_ok()
}

/// Whether a callback signed for one domain could be turned into one for the other, if both had the same key. The
/// fields are joined without separators, so the end of a domain can be read as the start of an app, and the end of an
/// event as the start of a domain.
pub fn could_be_confused(domain: &str, other: &str) -> bool {
    let beginnings = |domain: &str| ["PUBLISH", "PUBLISH_DONE"].map(|event| format!("{event}{domain}"));
    beginnings(domain)
        .iter()
        .any(|one| beginnings(other).iter().any(|another| one.starts_with(another) || another.starts_with(one)))
}

/// Parses `auth_sign`: exactly 64 hexadecimal digits, in either case.
pub fn from_hex(auth_sign: &str) -> Option<Signature> {
    let mut signature = [0; 32];
    hex::decode_to_slice(auth_sign, &mut signature).ok()?;
    Some(signature)
}

pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

fn mac_of(key: &SigningKey, joiner: FieldSeparator, fields: &SignedFields<'_>) -> Hmac<Sha256> {
    let mut mac = key.0.clone();
    for field in [fields.event, fields.domain, fields.app, fields.stream] {
        mac.update(field.as_bytes());
        mac.update(joiner.as_str().as_bytes());
    }
    mac.update(fields.auth_timestamp.to_string().as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        key: String,
        event: String,
        domain: String,
        app: String,
        stream: String,
        auth_timestamp: i64,
        joiner: String,
        auth_sign: String,
    }

    impl Vector {
        fn fields(&self) -> SignedFields<'_> {
            SignedFields {
                event: &self.event,
                domain: &self.domain,
                app: &self.app,
                stream: &self.stream,
                auth_timestamp: self.auth_timestamp,
            }
        }

        fn joiner(&self) -> FieldSeparator {
            self.joiner.parse().expect("a known joiner")
        }

        fn signature(&self) -> Signature {
            from_hex(&self.auth_sign).expect("64 hexadecimal digits")
        }

        fn verifies(&self) -> bool {
            verify(&SigningKey::new(&self.key), self.joiner(), &self.fields(), &self.signature())
        }
    }

    fn vectors() -> Vec<Vector> {
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../tests/fixtures/signatures.json")).expect("fixture");
        assert!(vectors.len() >= 8);
        vectors
    }

    #[test]
    fn every_vector_verifies_and_is_what_we_would_sign() {
        for vector in vectors() {
            assert!(vector.verifies(), "{}", vector.name);
            let ours = sign(&SigningKey::new(&vector.key), vector.joiner(), &vector.fields());
            assert_eq!(hex::encode(ours), vector.auth_sign, "{}", vector.name);
            assert_eq!(from_hex(&vector.auth_sign.to_uppercase()), Some(ours), "{}", vector.name);
        }
    }

    #[test]
    fn no_vector_verifies_with_a_bit_of_the_signature_turned() {
        for vector in vectors() {
            let key = SigningKey::new(&vector.key);
            for bit in 0..256 {
                let mut signature = vector.signature();
                signature[bit / 8] ^= 1 << (bit % 8);
                assert!(!verify(&key, vector.joiner(), &vector.fields(), &signature), "{}, bit {bit}", vector.name);
            }
        }
    }

    #[test]
    fn no_vector_verifies_with_a_byte_of_the_key_changed() {
        for mut vector in vectors() {
            let key = vector.key.clone();
            for at in 0..key.len() {
                let other = if &key[at..=at] == "x" { "y" } else { "x" };
                vector.key.replace_range(at..=at, other);
                assert!(!vector.verifies(), "{}, byte {at} of the key", vector.name);
                vector.key.clone_from(&key);
            }
        }
    }

    #[test]
    fn no_vector_verifies_with_a_field_changed() {
        type Change = fn(&mut Vector);
        let changes: [(&str, Change); 8] = [
            ("event", |v| v.event = if v.event == "PUBLISH" { "PUBLISH_DONE" } else { "PUBLISH" }.into()),
            ("domain", |v| v.domain.push('x')),
            ("app", |v| v.app.push('x')),
            ("stream", |v| v.stream.push('x')),
            ("stream's case", |v| v.stream = v.stream.replacen('e', "E", 1)),
            ("later expiry", |v| v.auth_timestamp += 1),
            ("earlier expiry", |v| v.auth_timestamp -= 1),
            ("joiner", |v| v.joiner = if v.joiner.is_empty() { "+" } else { "" }.into()),
        ];
        for (name, change) in changes {
            for mut vector in vectors() {
                change(&mut vector);
                assert!(!vector.verifies(), "{} with another {name}", vector.name);
            }
        }
    }

    #[test]
    fn domains_whose_signed_texts_begin_alike_could_be_confused() {
        for (domain, other, confused) in [
            ("push.example.com", "push.example.com", true),
            ("push.example.com", "push.example.co", true),
            ("push.example.com", "_DONEpush.example.com", true),
            ("_DONEpush.example.co", "push.example.com", true),
            ("push.example.com", "push2.example.com", false),
            ("push.example.com", "example.com", false),
        ] {
            assert_eq!(could_be_confused(domain, other), confused, "{domain} {other}");
            assert_eq!(could_be_confused(other, domain), confused, "{other} {domain}");
        }
    }

    #[test]
    fn a_signature_is_64_hexadecimal_digits() {
        assert!(from_hex(&"0".repeat(63)).is_none());
        assert!(from_hex(&"0".repeat(65)).is_none());
        assert!(from_hex(&"x".repeat(64)).is_none());
        assert!(from_hex("").is_none());
    }

    #[test]
    fn a_key_shows_nothing_of_itself() {
        assert_eq!(format!("{:?}", SigningKey::new(&"k".repeat(32))), "SigningKey(..)");
    }
}
