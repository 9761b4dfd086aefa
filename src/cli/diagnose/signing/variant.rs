//! Ways in which a key and the signed fields may have been meant.

use std::fmt;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::huawei::notification::Notification;

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
