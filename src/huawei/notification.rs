//! The wire format of callbacks about the status of a stream ("stream status notifications").
//!
//! The only parser of the provider's field names and limits. A parsed callback is well-formed, not authenticated:
//! [`super::admission`] decides that. Error texts never quote a value, because a callback may contain credentials.

use serde_json::{Map, Value};

use super::members::{Body, Broken, Members};
use crate::model::event::AlteredMember;
use crate::model::rejection::RejectionReason;

/// The longest names of a domain and an app, and of a stream, in characters.
const MAX_NAME: usize = 255;
const MAX_STREAM_NAME: usize = 512;

/// The largest timestamp with ten digits, in the year 2286.
const MAX_TEN_DIGITS: i64 = 9_999_999_999;

/// Maximum size of the undocumented members that are stored. They are not signed: anyone who has captured a callback
/// could send any amount of them.
const MAX_EXTRA_BYTES: usize = 8 * 1024;

/// Maximum length of a stored address. The longest real one, with a zone and a port, has about 60 bytes.
const MAX_ADDRESS_BYTES: usize = 255;

const DOCUMENTED: [&str; 10] = [
    "domain",
    "app",
    "stream",
    "publish_timestamp",
    "event",
    "user_args",
    "client_ip",
    "node_ip",
    "auth_timestamp",
    "auth_sign",
];

/// Members that identify other callbacks of the provider: recording and snapshots.
const OTHER_CALLBACKS: [&str; 2] = ["publish_domain", "event_type"];

/// The event that a callback reports.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// `PUBLISH`: a push started.
    Publish,
    /// `PUBLISH_DONE`: a push ended.
    PublishDone,
    /// An undocumented event. Stored, but changes no session.
    Other(String),
}

impl Event {
    /// Exact match: a longer word never counts as a known one.
    pub fn from_word(word: String) -> Self {
        match word.as_str() {
            "PUBLISH" => Self::Publish,
            "PUBLISH_DONE" => Self::PublishDone,
            _ => Self::Other(word),
        }
    }

    /// The provider's word, as it is signed.
    pub fn word(&self) -> &str {
        match self {
            Self::Publish => "PUBLISH",
            Self::PublishDone => "PUBLISH_DONE",
            Self::Other(word) => word,
        }
    }
}

/// A well-formed callback.
///
/// Intentionally without `Debug`: `user_args` and `auth_sign` are credentials.
#[derive(Clone, PartialEq)]
pub struct Notification {
    /// Ingest domain, 1-255 characters.
    pub domain: String,
    /// App: 1-255 letters, digits, `_` and `-`.
    pub app: String,
    /// Stream name, 1-512 characters in any script; may contain `/` and `*`.
    pub stream: String,
    /// Start of the push, in Unix seconds; the same in its start and its end.
    pub publish_timestamp: i64,
    pub event: Event,
    /// Query string of the push URL as received, with credentials.
    pub user_args: Option<String>,
    /// IP address of the encoder, as text. The provider may mask it.
    pub client_ip: Option<String>,
    /// IP address of the receiving node, as text.
    pub node_ip: Option<String>,
    /// Expiry of the signature, in Unix seconds.
    pub auth_timestamp: Option<i64>,
    /// The signature as received; may be malformed.
    pub auth_sign: Option<String>,
    /// Undocumented members, as far as they can be stored.
    pub extra: Map<String, Value>,
    /// Unsigned members that are not stored exactly as sent.
    pub altered: Vec<AlteredMember>,
}

/// Why a body is not a callback. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, not an object, or a duplicate member.
    #[error("the body is not a valid JSON object: {0}")]
    NotReadable(String),
    /// A required member is missing.
    #[error("the member `{0}` is missing")]
    Missing(&'static str),
    /// A member does not have its documented form.
    #[error("the member `{name}` {problem}")]
    Malformed {
        name: &'static str,
        /// The problem, without the value.
        problem: String,
    },
    /// A timestamp has 13 digits.
    #[error("the member `{0}` {IN_MILLISECONDS}")]
    Milliseconds(&'static str),
    /// It has the members of a recording or snapshot callback, and lacks those of a stream status notification.
    #[error("the body is a recording or snapshot callback")]
    OtherCallback,
}

/// The problem of a timestamp in milliseconds.
pub const IN_MILLISECONDS: &str = "is in milliseconds; it must be in seconds";

/// A body that is not a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANotification {
    pub problem: ParseError,
    /// The domain in the body, if it is readable.
    pub claimed_domain: Option<String>,
}

/// Parses a callback. Signed members are read strictly, others as far as possible.
///
/// # Errors
/// [`NotANotification`] unless the body is one JSON object without duplicate members, in which all required members are
/// valid.
pub fn parse(body: &[u8]) -> Result<Notification, NotANotification> {
    let body = Body::new(body);
    match body.members() {
        Ok(members) => read(&members),
        Err(_) if !body.is_repaired() => {
            body.repair().members().map_err(NotANotification::from).and_then(|members| read(&members))
        }
        Err(broken) => Err(broken.into()),
    }
}

impl From<Box<Broken<'_>>> for NotANotification {
    fn from(broken: Box<Broken<'_>>) -> Self {
        Self { problem: ParseError::NotReadable(broken.problem), claimed_domain: claimed_domain(&broken.read) }
    }
}

fn read(members: &Members<'_>) -> Result<Notification, NotANotification> {
    read_fields(members).map_err(|problem| {
        let of_another = OTHER_CALLBACKS.iter().any(|name| members.get(name).is_some());
        let problem = match problem {
            ParseError::Missing(_) if of_another => ParseError::OtherCallback,
            problem => problem,
        };
        NotANotification { problem, claimed_domain: claimed_domain(members) }
    })
}

fn claimed_domain(members: &Members<'_>) -> Option<String> {
    let name = |member: &str| required_text(members, "domain", member, MAX_NAME).ok();
    name("domain").or_else(|| name("publish_domain"))
}

fn read_fields(members: &Members<'_>) -> Result<Notification, ParseError> {
    let text = |name, most| required_text(members, name, name, most);
    let domain = text("domain", MAX_NAME)?;
    let app = text("app", MAX_NAME)?;
    if !is_app_name(&app) {
        return Err(malformed("app", "contains something other than letters, digits, `_` and `-`"));
    }
    let stream = text("stream", MAX_STREAM_NAME)?;
    let publish_timestamp = seconds(members, "publish_timestamp")?.ok_or(ParseError::Missing("publish_timestamp"))?;
    if publish_timestamp > MAX_TEN_DIGITS {
        return Err(match publish_timestamp.to_string().len() {
            13 => ParseError::Milliseconds("publish_timestamp"),
            _ => malformed("publish_timestamp", "has too many digits for seconds"),
        });
    }
    let event = Event::from_word(text("event", 64)?);
    let auth_timestamp = seconds(members, "auth_timestamp")?;
    let mut altered = Vec::new();
    let mut note = |is_altered: bool, member| altered.extend(is_altered.then_some(member));
    let (user_args, is_altered) =
        members.get("user_args").map(|value| members.readable(value, usize::MAX)).unwrap_or_default();
    note(is_altered, AlteredMember::UserArgs);
    let (client_ip, is_altered) = address(members, "client_ip");
    note(is_altered, AlteredMember::ClientIp);
    let (node_ip, is_altered) = address(members, "node_ip");
    note(is_altered, AlteredMember::NodeIp);
    let (extra, is_altered) = members.others(&DOCUMENTED, MAX_EXTRA_BYTES);
    note(is_altered, AlteredMember::Undocumented);
    // Read leniently: a value that is not a signature never verifies.
    let (auth_sign, _) = members.get("auth_sign").map(|value| members.readable(value, 255)).unwrap_or_default();
    let auth_sign = auth_sign.filter(|text| !text.is_empty());
    Ok(Notification {
        domain,
        app,
        stream,
        publish_timestamp,
        event,
        user_args,
        client_ip,
        node_ip,
        auth_timestamp,
        auth_sign,
        extra,
        altered,
    })
}

/// The readable part of an address, and whether it was altered. Objects are dropped: they are not addresses, and may
/// contain credentials, which are masked only in `user_args`.
fn address(members: &Members<'_>, name: &str) -> (Option<String>, bool) {
    match members.get(name) {
        None => (None, false),
        Some(value) if !value.get().starts_with('"') && value.get().contains('{') => (None, true),
        Some(value) => {
            let (text, is_altered) = members.readable(value, MAX_ADDRESS_BYTES);
            (text.filter(|text| !text.is_empty()), is_altered)
        }
    }
}

/// A required string. `name` is its name in errors.
fn required_text(members: &Members<'_>, name: &'static str, member: &str, most: usize) -> Result<String, ParseError> {
    let value = members.get(member).ok_or(ParseError::Missing(name))?;
    let text = members.text(value).map_err(|problem| malformed(name, problem))?;
    if text.is_empty() {
        Err(malformed(name, "is empty"))
    } else if text.len() > most && text.chars().count() > most {
        Err(malformed(name, format!("is longer than {most} characters")))
    } else {
        Ok(text)
    }
}

/// Whole seconds: a string in canonical decimal, or a number in any notation that is whole. `None` if missing.
fn seconds(members: &Members<'_>, name: &'static str) -> Result<Option<i64>, ParseError> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let digits = if value.get().starts_with('"') {
        Some(members.text(value).map_err(|problem| malformed(name, problem))?)
    } else {
        whole_number(value.get())
    };
    let is_canonical = |digits: &String| {
        (1..=18).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'))
    };
    match digits {
        Some(digits) if digits.is_empty() && name == "auth_timestamp" => Ok(None),
        Some(digits) if is_canonical(&digits) => Ok(digits.parse().ok()),
        _ => Err(malformed(name, "is not a plain decimal number of seconds, or has too many digits")),
    }
}

/// The digits of a JSON number that is whole and not negative, such as `1.79E9`. Exact: it does not use floats.
fn whole_number(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_end_matches('0');
    let zeros = exponent.parse::<i16>().ok().map(i64::from)? + i64::try_from(all.len() - digits.len()).ok()?
        - i64::try_from(fraction.len()).ok()?;
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros <= 18)?;
    Some(format!("{digits}{}", "0".repeat(zeros)))
}

/// Whether a text is a valid app name: letters, digits, `_` and `-`.
pub fn is_app_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether a callback can have these names, and a session with them can exist.
pub fn are_names(app: &str, stream: &str) -> bool {
    let is_stream_name = !stream.is_empty() && !stream.chars().any(char::is_control);
    is_app_name(app) && app.len() <= MAX_NAME && is_stream_name && stream.chars().count() <= MAX_STREAM_NAME
}

fn malformed(name: &'static str, problem: impl Into<String>) -> ParseError {
    ParseError::Malformed { name, problem: problem.into() }
}

impl From<&ParseError> for RejectionReason {
    fn from(problem: &ParseError) -> Self {
        match problem {
            ParseError::NotReadable(_) | ParseError::Missing(_) | ParseError::Malformed { .. } => {
                Self::NotANotification
            }
            ParseError::Milliseconds(_) => Self::Milliseconds,
            ParseError::OtherCallback => Self::OtherCallback,
        }
    }
}

#[cfg(test)]
mod tests;
