//! The possible meanings of a key and of the signed fields.

use std::fmt;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::huawei::notification::Notification;

/// Maximum length of `user_args` that is tried as part of the stream name; real push URLs are much shorter.
const MAX_USER_ARGS_BYTES: usize = 8 * 1024;

/// Characters to percent-encode: all except RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How the text of a key becomes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVariant {
    /// As is: the variant that admission uses.
    AsGiven,
    /// Without surrounding white space.
    Trimmed,
    /// With a line break at the end.
    WithNewline,
    /// Decoded from hexadecimal.
    HexDecoded,
    /// Decoded from base64.
    Base64Decoded,
}

impl KeyVariant {
    /// The most likely one first.
    pub const ALL: [Self; 5] = [Self::AsGiven, Self::Trimmed, Self::WithNewline, Self::HexDecoded, Self::Base64Decoded];

    /// The bytes of a key; `None` if this variant cannot decode it.
    pub(super) fn bytes_of(self, key: &str) -> Option<Vec<u8>> {
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

/// Base64 with either alphabet, padded or not.
fn read_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}

/// Possible separators of the signed fields, the most likely one first.
pub const JOINERS: [&str; 11] = ["", "+", " + ", "&", "-", "_", ",", "|", "/", "\n", "."];

/// The signed fields and their format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldVariant {
    /// Event, domain, app, stream, `auth_timestamp`: the variant that admission uses.
    AsDocumented,
    /// `publish_timestamp` instead of `auth_timestamp`.
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
    /// The stream, percent-decoded.
    StreamDecoded,
    /// The stream percent-encoded.
    StreamEncoded,
    /// The stream followed by `?` and `user_args`.
    StreamWithUserArgs,
    /// App and stream joined with a slash, regardless of the separator.
    AppSlashStream,
    /// `auth_timestamp` before all other fields.
    TimestampFirst,
    /// `auth_timestamp` in lower-case hexadecimal.
    HexTimestamp,
    /// `auth_timestamp` in upper-case hexadecimal.
    UpperHexTimestamp,
}

impl FieldVariant {
    /// The documented one first.
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

    /// The signed fields in order; `None` if the callback lacks one of them.
    pub(super) fn parts_of(self, message: &Notification) -> Option<Vec<String>> {
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
            Self::PublishTimestamp => "with publish_timestamp instead of auth_timestamp",
            Self::Milliseconds => "with auth_timestamp in milliseconds",
            Self::WithoutEvent => "without the event",
            Self::WithoutDomain => "without the domain",
            Self::WithoutApp => "without the app",
            Self::LowerCaseDomain => "with the domain in lower case",
            Self::StreamDecoded => "with the stream percent-decoded",
            Self::StreamEncoded => "with the stream percent-encoded",
            Self::StreamWithUserArgs => "with the stream and user_args joined as STREAM?USER_ARGS",
            Self::AppSlashStream => "with app and stream joined as APP/STREAM",
            Self::TimestampFirst => "with auth_timestamp before all others",
            Self::HexTimestamp => "with auth_timestamp in hexadecimal digits, lower case",
            Self::UpperHexTimestamp => "with auth_timestamp in hexadecimal digits, upper case",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_in_both_alphabets_with_and_without_padding() {
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(read_base64(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(read_base64("not base64"), None);
    }
}
