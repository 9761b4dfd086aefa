//! Finds the way in which a captured callback was signed, by trying all plausible ones.
//!
//! The provider's formula does not define the separator of the fields, and keys are pasted by hand. This does not
//! affect what is accepted: [`crate::huawei::admission`] knows only one formula. Tries at most about 800 signatures per
//! key.

mod variant;

use std::fmt;

use hmac::Mac;

use crate::huawei::notification::Notification;
use crate::huawei::signature::{self, Signature};
use crate::model::access::FieldSeparator;

use self::variant::JOINERS;
pub use self::variant::{FieldVariant, KeyVariant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    pub key: KeyVariant,
    pub joiner: &'static str,
    pub fields: FieldVariant,
}

/// How to get callbacks with a signature accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Set the domain's separator to the one that fits.
    SetSeparator(FieldSeparator),
    /// Enter the key without the white space around it.
    TrimKey,
    /// No setting helps.
    Unsupported,
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SetSeparator(_) => {
                "Set the domain's separator (joiner) to this one, and the service will accept such callbacks."
            }
            Self::TrimKey => {
                "The key was given with surrounding white space. Give it without, here and where it is registered, and \
                 set the separator (joiner) as above."
            }
            Self::Unsupported => {
                "The service has no setting for this way of signing. Capture a second callback. If it is signed in the \
                 same way, the provider signs like this: please report it. If it is signed as documented, someone may \
                 have rearranged the fields of the first."
            }
        })
    }
}

impl Fit {
    /// How to get callbacks with this signature accepted; `None` if admission accepts it already.
    pub fn remedy(self, expected: FieldSeparator) -> Option<Remedy> {
        let joiner = self.joiner.parse::<FieldSeparator>().ok().filter(|_| self.fields == FieldVariant::AsDocumented);
        match (self.key, joiner) {
            (KeyVariant::AsGiven, Some(joiner)) if joiner == expected => None,
            (KeyVariant::AsGiven, Some(joiner)) => Some(Remedy::SetSeparator(joiner)),
            (KeyVariant::Trimmed, Some(_)) => Some(Remedy::TrimKey),
            (KeyVariant::AsGiven | KeyVariant::Trimmed, None)
            | (KeyVariant::WithNewline | KeyVariant::HexDecoded | KeyVariant::Base64Decoded, _) => {
                Some(Remedy::Unsupported)
            }
        }
    }
}

/// All ways of signing that give the callback's signature with this key.
///
/// If one with the documented fields matches, equivalent others are omitted. Empty if `auth_sign` is missing or not 64
/// hexadecimal digits.
pub fn fits_of(message: &Notification, key: &str) -> Vec<Fit> {
    let Some(signature) = message.auth_sign.as_deref().and_then(signature::from_hex) else { return Vec::new() };
    let mut fits = Vec::new();
    for (key, bytes) in key_bytes_of(key) {
        for fields in FieldVariant::ALL {
            let Some(parts) = fields.parts_of(message) else { continue };
            let joiners = JOINERS.into_iter().filter(|joiner| makes(&bytes, &parts.join(joiner), &signature));
            fits.extend(joiners.map(|joiner| Fit { key, joiner, fields }));
        }
    }
    if fits.iter().any(|fit| fit.fields == FieldVariant::AsDocumented) {
        fits.retain(|fit| fit.fields == FieldVariant::AsDocumented);
    }
    fits
}

/// The bytes that a key can mean, without duplicates.
fn key_bytes_of(key: &str) -> Vec<(KeyVariant, Vec<u8>)> {
    let mut meanings: Vec<(KeyVariant, Vec<u8>)> = Vec::new();
    for variant in KeyVariant::ALL {
        let bytes = variant.bytes_of(key).filter(|bytes| meanings.iter().all(|(_, known)| known != bytes));
        meanings.extend(bytes.map(|bytes| (variant, bytes)));
    }
    meanings
}

fn makes(key: &[u8], text: &str, signature: &Signature) -> bool {
    signature::keyed(key).chain_update(text).verify(signature.into()).is_ok()
}

/// The registered domains that differ from this one only in case, a trailing dot, or surrounding white space.
pub fn similar_domains<'a>(domain: &str, registered: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = plain(domain);
    registered.into_iter().filter(|name| *name != domain && plain(name) == wanted).collect()
}

fn plain(domain: &str) -> String {
    domain.trim().trim_end_matches('.').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::notification::Event;
    use serde::Deserialize;
    use std::collections::HashSet;

    /// Valid for every variant, with a different result for each.
    const KEY: &str = " 0123456789abcdef0123456789abcdef ";

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

    fn vectors() -> Vec<(Vector, Notification)> {
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../../../tests/fixtures/signatures.json")).expect("fixture");
        assert!(vectors.len() >= 8);
        let message_of = |vector: &Vector| Notification {
            domain: vector.domain.clone(),
            app: vector.app.clone(),
            stream: vector.stream.clone(),
            event: Event::from_word(vector.event.clone()),
            auth_timestamp: Some(vector.auth_timestamp),
            auth_sign: Some(vector.auth_sign.clone()),
            ..message()
        };
        vectors
            .into_iter()
            .map(|vector| (message_of(&vector), vector))
            .map(|(message, vector)| (vector, message))
            .collect()
    }

    /// A callback for which all variants give different texts.
    fn message() -> Notification {
        Notification {
            domain: "Push.Example.com".into(),
            app: "live".into(),
            stream: "room%2F1/演".into(),
            publish_timestamp: 1_587_954_134,
            event: Event::Publish,
            user_args: Some("auth_info=secret&cdn=hw".into()),
            client_ip: None,
            node_ip: None,
            auth_timestamp: Some(1_587_954_140),
            auth_sign: None,
            extra: serde_json::Map::new(),
            altered: Vec::new(),
        }
    }

    fn signed(way: Fit) -> Notification {
        let bytes = way.key.bytes_of(KEY).expect("a key in every reading");
        let text = way.fields.parts_of(&message()).expect("all fields").join(way.joiner);
        let auth_sign = hex::encode(signature::keyed(&bytes).chain_update(text).finalize().into_bytes());
        Notification { auth_sign: Some(auth_sign), ..message() }
    }

    #[test]
    fn every_vector_is_found_with_its_joiner_in_either_case() {
        for (vector, message) in vectors() {
            let joiner = JOINERS.into_iter().find(|joiner| *joiner == vector.joiner).expect("a known joiner");
            let expected = [Fit { key: KeyVariant::AsGiven, joiner, fields: FieldVariant::AsDocumented }];
            assert_eq!(fits_of(&message, &vector.key), expected, "{}", vector.name);
            let upper = Notification { auth_sign: Some(vector.auth_sign.to_uppercase()), ..message };
            assert_eq!(fits_of(&upper, &vector.key), expected, "{}", vector.name);
        }
    }

    #[test]
    fn no_vector_fits_any_way_with_another_key() {
        for (vector, message) in vectors() {
            assert_eq!(fits_of(&message, &"z".repeat(32)), [], "{}", vector.name);
        }
    }

    #[test]
    fn every_way_of_signing_is_found_and_no_other() {
        for fields in FieldVariant::ALL {
            for key in KeyVariant::ALL {
                let way = Fit { key, joiner: "+", fields };
                assert_eq!(fits_of(&signed(way), KEY), [way]);
            }
        }
        for joiner in JOINERS {
            for fields in [FieldVariant::AsDocumented, FieldVariant::WithoutEvent] {
                let way = Fit { key: KeyVariant::AsGiven, joiner, fields };
                assert_eq!(fits_of(&signed(way), KEY), [way]);
            }
        }
    }

    #[test]
    fn all_ways_differ_but_for_slashes_in_a_row() {
        let texts = FieldVariant::ALL
            .into_iter()
            .flat_map(|fields| JOINERS.map(|joiner| fields.parts_of(&message()).expect("all fields").join(joiner)));
        let texts: Vec<String> = texts.collect();
        let distinct: HashSet<&String> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len() - 1);
        assert_eq!(key_bytes_of(KEY).len(), KeyVariant::ALL.len());
    }

    #[test]
    fn a_reading_that_changes_nothing_is_not_told() {
        let way = Fit { key: KeyVariant::AsGiven, joiner: "/", fields: FieldVariant::AsDocumented };
        assert_eq!(fits_of(&signed(way), KEY), [way]);
        let same = Fit { fields: FieldVariant::AppSlashStream, ..way };
        assert_eq!(fits_of(&signed(same), KEY), [way]);
        assert_eq!(key_bytes_of("plain key!").len(), 2);
    }

    #[test]
    fn readings_that_cannot_be_told_apart_are_all_told() {
        let both = [FieldVariant::HexTimestamp, FieldVariant::UpperHexTimestamp];
        let mut message = Notification { auth_timestamp: Some(0x5999_9999), ..message() };
        let text = both[0].parts_of(&message).expect("all fields").concat();
        message.auth_sign =
            Some(hex::encode(signature::keyed(KEY.as_bytes()).chain_update(text).finalize().into_bytes()));
        assert_eq!(fits_of(&message, KEY), both.map(|fields| Fit { key: KeyVariant::AsGiven, joiner: "", fields }));
    }

    #[test]
    fn a_message_without_a_usable_signature_fits_nothing() {
        for auth_sign in [None, Some(String::new()), Some("ff3b2bxxx5cf".to_owned())] {
            assert_eq!(fits_of(&Notification { auth_sign, ..message() }, KEY), []);
        }
    }

    #[test]
    fn a_message_of_any_size_is_tried_in_bounded_time() {
        let long = Notification { user_args: Some("a".repeat(10_000_000)), ..message() };
        assert_eq!(FieldVariant::StreamWithUserArgs.parts_of(&long), None);
    }

    #[test]
    fn only_what_admission_asks_for_needs_no_remedy() {
        let documented = Fit { key: KeyVariant::AsGiven, joiner: "", fields: FieldVariant::AsDocumented };
        assert_eq!(documented.remedy(FieldSeparator::Nothing), None);
        assert_eq!(documented.remedy(FieldSeparator::Plus), Some(Remedy::SetSeparator(FieldSeparator::Nothing)));
        for other in [
            Fit { joiner: "&", ..documented },
            Fit { key: KeyVariant::Trimmed, ..documented },
            Fit { fields: FieldVariant::WithoutApp, ..documented },
        ] {
            assert!(other.remedy(FieldSeparator::Nothing).is_some());
        }
    }

    #[test]
    fn domains_are_similar_but_for_case_a_last_dot_and_white_space() {
        let registered = ["push.example.com", "PUSH.example.com.", " push.example.com", "push.example.org"];
        assert_eq!(similar_domains("Push.Example.com", registered), &registered[..3]);
        assert_eq!(similar_domains("push.example.com", registered), &registered[1..3]);
        assert!(similar_domains("example.com", registered).is_empty());
    }
}
