//! Masks credentials in `user_args` before anything is stored or logged.
//!
//! `user_args` is the query string of the push URL. If the name of a parameter suggests a credential, its value is
//! replaced by a short keyed fingerprint: support can still see whether two values are equal, but nobody can push with
//! what is shown.

use hmac::{Hmac, Mac};
use percent_encoding::percent_decode_str;
use sha2::Sha256;

use super::members::CUT;
use super::signature::keyed;

/// Case-insensitive. A parameter is a credential if its name *contains* one of these words.
const CREDENTIAL_WORDS: [&str; 14] = [
    "auth",
    "secret",
    "sig",
    "token",
    "key",
    "pass",
    "pwd",
    "credential",
    "session",
    "ticket",
    "hash",
    "md5",
    "hmac",
    "jwt",
];

/// Separators of parameters in the common kinds of query strings.
const SEPARATORS: [char; 3] = ['&', ';', '?'];

/// Maximum length of a masked query string. It is not signed: anyone who has captured a callback could send one of any
/// length.
const MAX_BYTES: usize = 4 * 1024;

/// How many levels of percent-encoding are decoded.
const MOST_ESCAPES: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    pub text: String,
    pub is_cut: bool,
}

#[derive(Clone)]
pub struct Masker {
    fingerprint: Hmac<Sha256>,
    further_names: Vec<String>,
}

impl Masker {
    /// Fingerprints use `key`. `further_names` are masked in addition to the known names.
    pub fn new(key: &[u8; 32], further_names: &[String]) -> Self {
        Self { fingerprint: keyed(key), further_names: further_names.iter().map(|name| name.to_lowercase()).collect() }
    }

    /// Replaces the value of each credential by `masked-` and 8 hexadecimal digits, and truncates the result after 4
    /// KiB.
    ///
    /// Text that is not `name=value` is masked completely, because it may be a bare token. A value is also masked if it
    /// seems to contain parameters, the user of a URL, or a credential with its name.
    pub fn mask(&self, user_args: &str) -> Masked {
        let mut masked = String::with_capacity(user_args.len().min(MAX_BYTES));
        for piece in user_args.split_inclusive(SEPARATORS) {
            let parameter = piece.trim_end_matches(SEPARATORS);
            let separator = piece.strip_prefix(parameter).unwrap_or_default();
            let shown = self.mask_parameter(parameter);
            masked.push_str(&shown);
            masked.push_str(separator);
            if masked.len() > MAX_BYTES {
                masked.truncate(masked.floor_char_boundary(MAX_BYTES));
                masked.push_str(CUT);
                return Masked { text: masked, is_cut: true };
            }
        }
        Masked { text: masked, is_cut: false }
    }

    fn mask_parameter(&self, parameter: &str) -> String {
        match parameter.split_once('=') {
            // Text that ends with equals signs may be base64 or a name without a value.
            Some((name, value)) if value.trim_matches('=').is_empty() && !is_plain_name(name) => {
                self.replacement(parameter)
            }
            Some((name, value))
                if !value.is_empty() && (self.is_credential(name) || self.may_hold_credentials(value)) =>
            {
                format!("{name}={}", self.replacement(value))
            }
            None if !parameter.is_empty() => self.replacement(parameter),
            _ => parameter.to_owned(),
        }
    }

    fn is_credential(&self, name: &str) -> bool {
        // `%61uth` is `auth`.
        let name = decoded(name).to_lowercase();
        CREDENTIAL_WORDS.iter().any(|word| name.contains(word)) || self.further_names.contains(&name)
    }

    /// Whether a value seems to contain parameters, the user of a URL, or a credential with its name.
    fn may_hold_credentials(&self, value: &str) -> bool {
        let value = decoded(value);
        value.contains(['=', '@']) || self.is_credential(&value)
    }

    fn replacement(&self, value: &str) -> String {
        let mut mac = self.fingerprint.clone();
        mac.update(value.as_bytes());
        let digest = mac.finalize().into_bytes();
        format!("masked-{}", hex::encode(digest.get(..4).unwrap_or_default()))
    }
}

/// Decodes up to [`MOST_ESCAPES`] levels of percent-encoding.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..MOST_ESCAPES {
        text = percent_decode_str(&text).decode_utf8_lossy().into_owned();
    }
    text
}

/// Whether a text looks like the name of a parameter, not like a credential.
fn is_plain_name(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || [b'_', b'-', b'.'].contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(user_args: &str) -> String {
        Masker::new(&[7; 32], &["viewer".to_owned()]).mask(user_args).text
    }

    #[test]
    fn names_stay_and_credentials_go() {
        let shown = masked("auth_info=yz1T/5isf==.33&cdn=hw&txSecret=abc&txTime=5F&Viewer=joe&empty_key=");
        assert!(!shown.contains("yz1T") && !shown.contains("abc") && !shown.contains("joe"), "{shown}");
        assert!(shown.starts_with("auth_info=masked-") && shown.ends_with("&empty_key="), "{shown}");
        assert!(shown.contains("&cdn=hw&") && shown.contains("&txTime=5F&"), "{shown}");
    }

    #[test]
    fn equal_values_keep_equal_fingerprints_under_one_key_only() {
        assert_eq!(masked("token=a"), masked("token=a"));
        assert_ne!(masked("token=a"), masked("token=b"));
        assert_ne!(masked("token=a"), Masker::new(&[8; 32], &[]).mask("token=a").text);
    }

    #[test]
    fn neither_an_escaped_name_nor_a_bare_value_slips_through() {
        assert!(!masked("%61uth%5Finfo=hidden").contains("hidden"));
        assert!(!masked("barecredential").contains("barecredential"));
        assert_eq!(masked(""), "");
        for user_args in [
            "cdn=hw?auth_info=hidden&x=1",
            "x=1;token=hidden",
            "a=b&sig=hidden",
            "url=x%26token%3Dhidden",
            "url=x%2526token%253Dhidden",
            "u=rtmp://user:hidden@h/x",
            "x=1,token:hidden",
            "aGhiddenGU9",
            "aGhiddenGU9=",
            "aGhiddenGU9==",
            "%2561uth=hidden",
        ] {
            assert!(!masked(user_args).contains("hidden"), "{user_args}");
        }
        assert_eq!(masked("a=1;b=2?c=3&&d=4"), "a=1;b=2?c=3&&d=4");
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_comes() {
        for user_args in
            ["a&".repeat(32_000), "a=1&".repeat(16_000), "x".repeat(64_000), format!("a={}", "b".repeat(64_000))]
        {
            assert!(masked(&user_args).len() <= MAX_BYTES + CUT.len());
        }
    }
}
