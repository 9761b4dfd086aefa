//! Which way of signing a captured message fits, tried over all that may reasonably have been meant.
//!
//! The provider's formula leaves open what stands between the fields, and keys are pasted by hand. Nothing here changes
//! what is accepted: [`super::admission`] knows one formula. What is tried is bounded: some 800 signatures a key.

use std::fmt;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::Mac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::notification::Notification;
use super::signature::{self, Joiner, Signature};

/// The longest `user_args` that is tried as a part of the stream's name; push URLs are far shorter.
const MAX_USER_ARGS_BYTES: usize = 8 * 1024;

/// What percent-encoding replaces: all but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a key's text becomes the bytes that sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVariant {
    /// As it is: what admission does.
    AsGiven,
    /// Without the white space around it.
    Trimmed,
    /// With a line break after it.
    WithNewline,
    /// Hexadecimal digits, read as the bytes that they stand for.
    HexDecoded,
    /// Base64, read as the bytes that it stands for.
    Base64Decoded,
}

impl KeyVariant {
    /// Every variant, the plainest first.
    pub const ALL: [Self; 5] = [Self::AsGiven, Self::Trimmed, Self::WithNewline, Self::HexDecoded, Self::Base64Decoded];

    /// The bytes that sign; `None` when the text cannot be read so.
    fn bytes_of(self, key: &str) -> Option<Vec<u8>> {
        match self {
            Self::AsGiven => Some(key.as_bytes().to_vec()),
            Self::Trimmed => Some(key.trim().as_bytes().to_vec()),
            Self::WithNewline => Some(format!("{key}\n").into_bytes()),
            Self::HexDecoded => hex::decode(key.trim()).ok(),
            Self::Base64Decoded => read_base64(key.trim()),
        }
    }
}

impl fmt::Display for KeyVariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AsGiven => "as it is",
            Self::Trimmed => "without the white space around it",
            Self::WithNewline => "with a line break after it",
            Self::HexDecoded => "read as hexadecimal digits",
            Self::Base64Decoded => "read as base64",
        })
    }
}

/// Base64 of either alphabet, padded or not.
fn read_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}

/// What may stand between the signed fields, the plainest first.
pub const JOINERS: [&str; 11] = ["", "+", " + ", "&", "-", "_", ",", "|", "/", "\n", "."];

/// Which fields are signed, and how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldVariant {
    /// Event, domain, app, stream, `auth_timestamp`: what admission does.
    AsDocumented,
    /// `publish_timestamp` in the place of `auth_timestamp`.
    PublishTimestamp,
    /// `auth_timestamp` in milliseconds.
    Milliseconds,
    /// Without the event.
    WithoutEvent,
    /// Without the domain.
    WithoutDomain,
    /// Without the app.
    WithoutApp,
    /// The domain in lower case.
    LowerCaseDomain,
    /// The stream with its percent escapes read.
    StreamDecoded,
    /// The stream percent-encoded.
    StreamEncoded,
    /// The stream with `?` and `user_args` after it.
    StreamWithUserArgs,
    /// App and stream joined with a slash, whatever stands between the others.
    AppSlashStream,
    /// `auth_timestamp` before all others.
    TimestampFirst,
    /// `auth_timestamp` in hexadecimal digits, lower case.
    HexTimestamp,
    /// `auth_timestamp` in hexadecimal digits, upper case.
    UpperHexTimestamp,
}

impl FieldVariant {
    /// Every variant, that which is documented first.
    pub const ALL: [Self; 14] = [
        Self::AsDocumented,
        Self::PublishTimestamp,
        Self::Milliseconds,
        Self::WithoutEvent,
        Self::WithoutDomain,
        Self::WithoutApp,
        Self::LowerCaseDomain,
        Self::StreamDecoded,
        Self::StreamEncoded,
        Self::StreamWithUserArgs,
        Self::AppSlashStream,
        Self::TimestampFirst,
        Self::HexTimestamp,
        Self::UpperHexTimestamp,
    ];

    /// What is signed, in order; `None` when the message lacks something of it.
    fn parts_of(self, message: &Notification) -> Option<Vec<String>> {
        let (event, domain) = (message.event.word().to_owned(), message.domain.clone());
        let (app, stream) = (message.app.clone(), message.stream.clone());
        if self == Self::PublishTimestamp {
            return Some(vec![event, domain, app, stream, message.publish_timestamp.to_string()]);
        }
        let seconds = message.auth_timestamp?;
        let time = seconds.to_string();
        Some(match self {
            Self::AsDocumented | Self::PublishTimestamp => vec![event, domain, app, stream, time],
            Self::Milliseconds => vec![event, domain, app, stream, format!("{time}000")],
            Self::WithoutEvent => vec![domain, app, stream, time],
            Self::WithoutDomain => vec![event, app, stream, time],
            Self::WithoutApp => vec![event, domain, stream, time],
            Self::LowerCaseDomain => vec![event, domain.to_lowercase(), app, stream, time],
            Self::StreamDecoded => {
                vec![event, domain, app, percent_decode_str(&stream).decode_utf8().ok()?.into_owned(), time]
            }
            Self::StreamEncoded => {
                vec![event, domain, app, utf8_percent_encode(&stream, RESERVED).to_string(), time]
            }
            Self::StreamWithUserArgs => {
                let user_args = message.user_args.as_ref().filter(|text| text.len() <= MAX_USER_ARGS_BYTES)?;
                vec![event, domain, app, format!("{stream}?{user_args}"), time]
            }
            Self::AppSlashStream => vec![event, domain, format!("{app}/{stream}"), time],
            Self::TimestampFirst => vec![time, event, domain, app, stream],
            Self::HexTimestamp => vec![event, domain, app, stream, format!("{seconds:x}")],
            Self::UpperHexTimestamp => vec![event, domain, app, stream, format!("{seconds:X}")],
        })
    }
}

impl fmt::Display for FieldVariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AsDocumented => "as documented: event, domain, app, stream, auth_timestamp",
            Self::PublishTimestamp => "with publish_timestamp in the place of auth_timestamp",
            Self::Milliseconds => "with auth_timestamp in milliseconds",
            Self::WithoutEvent => "without the event",
            Self::WithoutDomain => "without the domain",
            Self::WithoutApp => "without the app",
            Self::LowerCaseDomain => "with the domain in lower case",
            Self::StreamDecoded => "with the stream's percent escapes read",
            Self::StreamEncoded => "with the stream percent-encoded",
            Self::StreamWithUserArgs => "with the stream and user_args joined as STREAM?USER_ARGS",
            Self::AppSlashStream => "with app and stream joined as APP/STREAM",
            Self::TimestampFirst => "with auth_timestamp before all others",
            Self::HexTimestamp => "with auth_timestamp in hexadecimal digits, lower case",
            Self::UpperHexTimestamp => "with auth_timestamp in hexadecimal digits, upper case",
        })
    }
}

/// A way of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// How the key is read.
    pub key: KeyVariant,
    /// What stands between the fields.
    pub joiner: &'static str,
    /// What is signed.
    pub fields: FieldVariant,
}

impl Fit {
    /// What to do so that messages signed so are accepted; `None` when this is what admission asks for.
    #[must_use]
    pub fn remedy(self, expected: Joiner) -> Option<&'static str> {
        let known_joiner = Joiner::from_text(self.joiner);
        match (self.key, self.fields, known_joiner) {
            (KeyVariant::AsGiven, FieldVariant::AsDocumented, Some(joiner)) if joiner == expected => None,
            (KeyVariant::AsGiven, FieldVariant::AsDocumented, Some(_)) => {
                Some("Set the domain's joiner to this one, and the service will accept such messages.")
            }
            (KeyVariant::Trimmed, FieldVariant::AsDocumented, Some(_)) => Some(
                "The key was given with white space around it. Give it without, here and where it is registered; and \
                 the joiner as above.",
            ),
            _ => Some(
                "The service has no setting for this way of signing. Capture a second message: if that fits the same \
                 way, the provider signs so, which is worth a report. If it fits as documented, someone may have \
                 rearranged the fields of the first.",
            ),
        }
    }
}

/// Every way of signing that makes the message's own signature with this key.
///
/// When one with the fields as documented does, others that come to the same bytes are left out. None when `auth_sign`
/// is not there or is not 64 hexadecimal digits.
#[must_use]
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

/// What a key can mean, each meaning once.
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

/// The registered domains that equal this one but for upper and lower case, a dot at the end, or white space around.
#[must_use]
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

    /// Good in every reading, and different in each.
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
            serde_json::from_str(include_str!("../../tests/fixtures/signatures.json")).expect("fixture");
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

    /// A message in which no two variants come to the same text.
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
    fn base64_is_read_in_both_alphabets_with_and_without_padding() {
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(read_base64(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(read_base64("not base64"), None);
    }

    #[test]
    fn only_what_admission_asks_for_needs_no_remedy() {
        let documented = Fit { key: KeyVariant::AsGiven, joiner: "", fields: FieldVariant::AsDocumented };
        assert_eq!(documented.remedy(Joiner::Nothing), None);
        assert!(documented.remedy(Joiner::Plus).is_some_and(|words| words.contains("joiner")));
        for other in [
            Fit { joiner: "&", ..documented },
            Fit { key: KeyVariant::Trimmed, ..documented },
            Fit { fields: FieldVariant::WithoutApp, ..documented },
        ] {
            assert!(other.remedy(Joiner::Nothing).is_some());
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
