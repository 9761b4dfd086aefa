//! Facts about a captured callback that need no key.
//!
//! Never returns a value of the callback.

use std::fmt;

use crate::huawei::notification::Notification;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HexCase {
    /// Without capital letters.
    Lower,
    /// All letters are capitals.
    Upper,
    Mixed,
}

/// The form of `auth_sign`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureForm {
    pub length: usize,
    /// The case of its digits; `None` unless all characters are hexadecimal digits.
    pub case: Option<HexCase>,
}

impl SignatureForm {
    pub fn of(auth_sign: &str) -> Self {
        Self { length: auth_sign.chars().count(), case: case_of(auth_sign) }
    }

    /// The hash, other than SHA-256, whose HMAC has this length in hexadecimal.
    pub fn other_hash(self) -> Option<&'static str> {
        match self.length {
            32 => Some("MD5"),
            40 => Some("SHA-1"),
            128 => Some("SHA-512"),
            _ => None,
        }
    }
}

fn case_of(text: &str) -> Option<HexCase> {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has = |test: fn(&u8) -> bool| text.as_bytes().iter().any(test);
    is_hex.then(|| match (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase)) {
        (_, false) => HexCase::Lower,
        (false, true) => HexCase::Upper,
        (true, true) => HexCase::Mixed,
    })
}

impl fmt::Display for SignatureForm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.case {
            Some(HexCase::Lower) => write!(formatter, "{} hexadecimal digits, lower case", self.length)?,
            Some(HexCase::Upper) => write!(formatter, "{} hexadecimal digits, upper case", self.length)?,
            Some(HexCase::Mixed) => write!(formatter, "{} hexadecimal digits, mixed case", self.length)?,
            None => write!(formatter, "{} characters, not all of them hexadecimal digits", self.length)?,
        }
        match self.other_hash() {
            Some(hash) => write!(formatter, "; the length of {hash}, not of SHA-256, which has 64"),
            None if self.length != 64 => formatter.write_str("; SHA-256 has 64"),
            None => Ok(()),
        }
    }
}

/// A remark about a captured callback that explains its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The capture has more than the body.
    WholeRequest,
    /// The body starts with a byte order mark.
    ByteOrderMark,
    /// The member is masked.
    Masked(&'static str),
    MaskedSignature,
    /// The expiry seems to be in milliseconds.
    ExpiryInMilliseconds,
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeRequest => formatter.write_str(
                "the capture starts like a whole HTTP request: pass only its body, the part after the empty line",
            ),
            Self::ByteOrderMark => {
                formatter.write_str("the body starts with a byte order mark, which an editor may have added")
            }
            Self::Masked(name) => {
                write!(
                    formatter,
                    "{name} is masked with `*`, as in the provider's documented example: is this a real callback?"
                )
            }
            Self::MaskedSignature => formatter.write_str(
                "auth_sign is masked, as in the provider's documented example, and can never verify; capture a real \
                 callback",
            ),
            Self::ExpiryInMilliseconds => formatter
                .write_str("auth_timestamp has 13 digits, so it seems to be in milliseconds; it must be in seconds"),
        }
    }
}

/// Remarks about a body, even if it cannot be parsed.
pub fn notices_of_body(body: &[u8]) -> Vec<Notice> {
    let starts_as_request =
        ["POST ", "PUT ", "GET ", "HTTP/"].iter().any(|beginning| body.starts_with(beginning.as_bytes()));
    let mut notices = Vec::new();
    if starts_as_request {
        notices.push(Notice::WholeRequest);
    }
    if body.starts_with("\u{feff}".as_bytes()) {
        notices.push(Notice::ByteOrderMark);
    }
    notices
}

/// Remarks about a parsed callback.
pub fn notices_of_message(message: &Notification) -> Vec<Notice> {
    let texts = [
        ("domain", Some(&message.domain)),
        ("client_ip", message.client_ip.as_ref()),
        ("node_ip", message.node_ip.as_ref()),
    ];
    let mut notices: Vec<Notice> = texts
        .into_iter()
        .filter(|(_, text)| text.is_some_and(|text| text.contains('*')))
        .map(|(name, _)| Notice::Masked(name))
        .collect();
    if message.auth_sign.as_deref().is_some_and(is_masked_signature) {
        notices.push(Notice::MaskedSignature);
    }
    if message.auth_timestamp.is_some_and(|seconds| seconds.to_string().len() == 13) {
        notices.push(Notice::ExpiryInMilliseconds);
    }
    notices
}

/// Hexadecimal digits, some of which are masked.
fn is_masked_signature(auth_sign: &str) -> bool {
    let covers = |character: char| ['x', 'X', '*'].contains(&character);
    auth_sign.contains(covers) && auth_sign.chars().all(|character| character.is_ascii_hexdigit() || covers(character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::notification;

    #[test]
    fn the_form_of_a_signature_tells_case_and_hash() {
        for (auth_sign, words) in [
            ("0a".repeat(32), "64 hexadecimal digits, lower case"),
            ("0A".repeat(32), "64 hexadecimal digits, upper case"),
            ("aA".repeat(32), "64 hexadecimal digits, mixed case"),
            ("0a".repeat(16), "32 hexadecimal digits, lower case; the length of MD5, not of SHA-256, which has 64"),
            ("0a".repeat(20), "40 hexadecimal digits, lower case; the length of SHA-1, not of SHA-256, which has 64"),
            (
                "0a".repeat(64),
                "128 hexadecimal digits, lower case; the length of SHA-512, not of SHA-256, which has 64",
            ),
            ("0g".repeat(32), "64 characters, not all of them hexadecimal digits"),
            ("é".to_owned(), "1 characters, not all of them hexadecimal digits; SHA-256 has 64"),
            (String::new(), "0 characters, not all of them hexadecimal digits; SHA-256 has 64"),
        ] {
            assert_eq!(SignatureForm::of(&auth_sign).to_string(), words);
        }
    }

    #[test]
    fn the_documented_example_is_seen_to_be_masked() {
        let body = include_bytes!("../../../tests/fixtures/documented_example.json");
        let message = notification::parse(body).expect("well-formed");
        let seen = [Notice::Masked("client_ip"), Notice::Masked("node_ip"), Notice::MaskedSignature];
        assert_eq!(notices_of_message(&message), seen);
        assert_eq!(notices_of_body(body), []);
    }

    #[test]
    fn an_honest_message_gives_no_notice() {
        let body = br#"{"domain":"a","app":"live","stream":"cam*x","publish_timestamp":1587954134,"event":"PUBLISH",
            "client_ip":"10.0.0.1","node_ip":"::1","auth_timestamp":1587954140,"auth_sign":"0a"}"#;
        assert_eq!(notices_of_message(&notification::parse(body).expect("well-formed")), []);
    }

    #[test]
    fn milliseconds_and_what_is_no_body_are_noticed() {
        let body = br#"{"domain":"a","app":"live","stream":"s","publish_timestamp":1587954134,"event":"PUBLISH",
            "auth_timestamp":1587954140000}"#;
        let message = notification::parse(body).expect("well-formed");
        assert_eq!(notices_of_message(&message), [Notice::ExpiryInMilliseconds]);
        assert_eq!(notices_of_body(b"POST /callbacks/huawei HTTP/1.1\r\n\r\n{}"), [Notice::WholeRequest]);
        assert_eq!(notices_of_body("\u{feff}{}".as_bytes()), [Notice::ByteOrderMark]);
    }
}
