//! The wire format of a stream status notification.
//!
//! The only place that knows the provider's field names and limits. What is accepted here is well-formed; whether it
//! is true is for [`super::admission`] to say. Error texts never quote a value: the message may hold credentials.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The largest `publish_timestamp` or `auth_timestamp` that has ten digits: the year 2286.
const MAX_TEN_DIGITS: i64 = 9_999_999_999;

/// How much of members that are not documented is kept. They are not signed, so that anyone who has captured a message
/// could send any amount of them.
const MAX_EXTRA_BYTES: usize = 8 * 1024;

/// What the provider says has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `PUBLISH`: a push started.
    Publish,
    /// `PUBLISH_DONE`: a push ended.
    PublishDone,
    /// A word that is not documented. Kept, and changes no session.
    Other(String),
}

impl Event {
    /// Reads the provider's word. Exact match: a longer word never counts as a known one.
    #[must_use]
    pub fn from_word(word: String) -> Self {
        match word.as_str() {
            "PUBLISH" => Self::Publish,
            "PUBLISH_DONE" => Self::PublishDone,
            _ => Self::Other(word),
        }
    }

    /// The provider's word, as it is signed and as it is shown.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Publish => "PUBLISH",
            Self::PublishDone => "PUBLISH_DONE",
            Self::Other(word) => word,
        }
    }
}

/// One well-formed notification.
///
/// Deliberately without `Debug`: `user_args` and `auth_sign` are credentials.
#[derive(Clone, PartialEq)]
pub struct Notification {
    /// Ingest domain, 1-255 characters.
    pub domain: String,
    /// Application: 1-255 letters, digits, `_` and `-`.
    pub app: String,
    /// Stream name, 1-512 characters of any script; `/` and `*` included.
    pub stream: String,
    /// Unix seconds; the same in the start and the end of one push.
    pub publish_timestamp: i64,
    /// What happened.
    pub event: Event,
    /// Query string of the push URL, as received: holds credentials.
    pub user_args: Option<String>,
    /// The encoder's address, as text; may be masked by the provider.
    pub client_ip: Option<String>,
    /// The receiving node's address, as text.
    pub node_ip: Option<String>,
    /// Unix second at which the signature expires.
    pub auth_timestamp: Option<i64>,
    /// The signature as received, not yet known to be hexadecimal.
    pub auth_sign: Option<String>,
    /// Members that are not documented, as received.
    pub extra: Map<String, Value>,
}

/// Why a body is not a notification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, not an object, a member named twice, or a control character somewhere.
    #[error("the body is not a JSON object that can be read: {0}")]
    NotReadable(String),
    /// A member that every notification has is not there.
    #[error("the member `{0}` is missing")]
    Missing(&'static str),
    /// A member is there, but not as documented.
    #[error("the member `{name}` {problem}")]
    Malformed {
        /// The member.
        name: &'static str,
        /// What is wrong with it; never its value.
        problem: String,
    },
}

/// Reads one notification.
///
/// # Errors
/// [`ParseError`] when the body is not JSON, repeats a member at any depth, holds a control character in any text, or
/// lacks or misspells a documented field.
pub fn parse(body: &[u8]) -> Result<Notification, ParseError> {
    let strict: Strict = serde_json::from_slice(body).map_err(|error| ParseError::NotReadable(error.to_string()))?;
    let Value::Object(members) = strict.0 else {
        return Err(ParseError::NotReadable("expected an object".to_owned()));
    };
    let mut members = Members(members);
    let notification = Notification {
        domain: members.required_text("domain", 255)?,
        app: members.required_app()?,
        stream: members.required_text("stream", 512)?,
        publish_timestamp: members
            .timestamp("publish_timestamp", MAX_TEN_DIGITS)?
            .ok_or(ParseError::Missing("publish_timestamp"))?,
        event: Event::from_word(members.required_text("event", 64)?),
        user_args: members.optional_text("user_args", usize::MAX)?,
        client_ip: members.optional_text("client_ip", 255)?,
        node_ip: members.optional_text("node_ip", 255)?,
        auth_timestamp: members.timestamp("auth_timestamp", i64::MAX)?,
        auth_sign: members.optional_text("auth_sign", 255)?,
        extra: Map::new(),
    };
    if serde_json::to_string(&members.0).is_ok_and(|extra| extra.len() > MAX_EXTRA_BYTES) {
        let problem = format!("members that are not documented take more than {MAX_EXTRA_BYTES} bytes");
        return Err(ParseError::NotReadable(problem));
    }
    Ok(Notification { extra: members.0, ..notification })
}

struct Members(Map<String, Value>);

impl Members {
    fn required_text(&mut self, name: &'static str, most: usize) -> Result<String, ParseError> {
        let text = self.optional_text(name, most)?.ok_or(ParseError::Missing(name))?;
        if text.is_empty() { Err(malformed(name, "is empty")) } else { Ok(text) }
    }

    fn optional_text(&mut self, name: &'static str, most: usize) -> Result<Option<String>, ParseError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= most || text.chars().count() <= most => Ok(Some(text)),
            Some(Value::String(_)) => Err(malformed(name, format!("is longer than {most} characters"))),
            Some(_) => Err(malformed(name, "is not a string")),
        }
    }

    fn required_app(&mut self) -> Result<String, ParseError> {
        let app = self.required_text("app", 255)?;
        if is_app_name(&app) {
            Ok(app)
        } else {
            Err(malformed("app", "holds something other than letters, digits, `_` and `-`"))
        }
    }

    /// A string or an integer: canonical decimal, not negative, at most 18 digits and at most `most`.
    fn timestamp(&mut self, name: &'static str, most: i64) -> Result<Option<i64>, ParseError> {
        let digits = match self.0.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(malformed(name, "is neither a string nor an integer")),
        };
        let canonical = digits.len() <= 18
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        let seconds = if canonical { digits.parse().ok().filter(|seconds| *seconds <= most) } else { None };
        seconds
            .map(Some)
            .ok_or_else(|| malformed(name, "is not a plain decimal number of seconds, or has too many digits"))
    }
}

/// Whether a text can be the name of an application: letters, digits, `_` and `-`.
#[must_use]
pub fn is_app_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn malformed(name: &'static str, problem: impl Into<String>) -> ParseError {
    ParseError::Malformed { name, problem: problem.into() }
}

/// A JSON value in which no object names a member twice and no text holds a control character.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl StrictVisitor {
    fn text<E: serde::de::Error>(text: String) -> Result<String, E> {
        if text.chars().any(char::is_control) { Err(E::custom("control character")) } else { Ok(text) }
    }
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        Self::text(value.to_owned()).map(Value::String)
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        Self::text(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let name = Self::text(name)?;
            let Strict(value) = members.next_value()?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(member: &str, value: &str) -> Result<Notification, ParseError> {
        let mut members: Vec<(&str, &str)> = vec![
            ("domain", r#""push.example.com""#),
            ("app", r#""live""#),
            ("stream", r#""room""#),
            ("publish_timestamp", r#""1587954134""#),
            ("event", r#""PUBLISH""#),
        ];
        members.retain(|(name, _)| *name != member);
        if !value.is_empty() {
            members.push((member, value));
        }
        let body: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        parse(format!("{{{}}}", body.join(",")).as_bytes())
    }

    #[test]
    fn timestamps_are_read_from_strings_and_integers_alike() {
        for value in ["1587954134", r#""1587954134""#] {
            assert_eq!(with("publish_timestamp", value).map(|n| n.publish_timestamp), Ok(1_587_954_134));
            assert_eq!(with("auth_timestamp", value).map(|n| n.auth_timestamp), Ok(Some(1_587_954_134)));
        }
    }

    #[test]
    fn a_timestamp_has_one_spelling() {
        for value in
            ["01587954134", "+1587954134", " 1587954134", "1587954134 ", "1.5e9", "-1", "", "0x5ea6", "1587954134.0"]
        {
            assert!(with("publish_timestamp", &format!("\"{value}\"")).is_err(), "{value:?}");
        }
        for value in
            ["1587954134.0", "-1", "1e9", "true", "[1587954134]", "null", "99999999999", "99999999999999999999"]
        {
            assert!(with("publish_timestamp", value).is_err(), "{value}");
        }
    }

    #[test]
    fn every_member_of_a_key_is_required_and_bounded() {
        for member in ["domain", "app", "stream", "event", "publish_timestamp"] {
            assert_eq!(with(member, "").err(), Some(ParseError::Missing(member)));
            assert!(with(member, "{}").is_err());
        }
        for (member, most) in [("domain", 255), ("app", 255), ("stream", 512), ("event", 64)] {
            assert!(with(member, &format!("\"{}\"", "a".repeat(most))).is_ok());
            assert!(with(member, &format!("\"{}\"", "a".repeat(most + 1))).is_err());
            assert!(with(member, r#""""#).is_err());
        }
        assert!(with("stream", &format!("\"{}\"", "字".repeat(512))).is_ok());
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_depth() {
        assert!(parse(br#"{"domain":"a","domain":"a"}"#).is_err());
        assert!(with("more", r#"{"a":1,"b":[{"c":1,"c":1}]}"#).is_err());
        assert!(with("more", r#"{"a":1,"b":[{"c":1},{"c":1}]}"#).is_ok());
    }

    #[test]
    fn control_characters_are_refused_everywhere() {
        for escape in ["\\u0000", "\\n", "\\u007f", "\\u0085"] {
            assert!(with("stream", &format!("\"a{escape}\"")).is_err(), "{escape}");
            assert!(with("more", &format!("[{{\"a{escape}\":1}}]")).is_err(), "{escape}");
        }
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let parsed = with("quality", r#"{"fps":25}"#).expect("well-formed");
        assert_eq!(serde_json::to_string(&parsed.extra).expect("json"), r#"{"quality":{"fps":25}}"#);
        assert_eq!(with("event", r#""PUBLISHED""#).map(|n| n.event), Ok(Event::Other("PUBLISHED".into())));
    }

    #[test]
    fn of_what_is_not_known_not_too_much_is_taken() {
        assert!(with("more", &format!("\"{}\"", "x".repeat(8_000))).is_ok());
        assert!(with("more", &format!("\"{}\"", "x".repeat(8_192))).is_err());
    }

    #[test]
    fn errors_never_quote_the_message() {
        let error = parse(br#"{"auth_sign":"s3cret","user_args":["s3cret"],"domain":"a","app":"b","stream":"c","event":"PUBLISH","publish_timestamp":1}"#).err();
        assert!(!error.expect("an array is no text").to_string().contains("s3cret"));
    }
}
