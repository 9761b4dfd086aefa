//! The wire format of a stream status notification.
//!
//! The only place that knows the provider's field names and limits. What is accepted here is well-formed; whether it
//! is true is for [`super::admission`] to say. Error texts never quote a value: the message may hold credentials.

use serde_json::{Map, Value};

use super::members::{Body, Broken, Members};
use crate::model::event::AlteredMember;
use crate::model::rejection::RejectionReason;

/// The largest `publish_timestamp` or `auth_timestamp` that has ten digits: the year 2286.
const MAX_TEN_DIGITS: i64 = 9_999_999_999;

/// How much of members that are not documented is kept. They are not signed, so that anyone who has captured a message
/// could send any amount of them.
const MAX_EXTRA_BYTES: usize = 8 * 1024;

/// How much of an address is kept. The longest that there is, with a zone and a port, has some 60.
const MAX_ADDRESS_BYTES: usize = 255;

/// The members that are documented.
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

/// Members by which the provider's other callbacks are known: those of recording and of snapshots.
const OTHER_CALLBACKS: [&str; 2] = ["publish_domain", "event_type"];

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
    pub fn from_word(word: String) -> Self {
        match word.as_str() {
            "PUBLISH" => Self::Publish,
            "PUBLISH_DONE" => Self::PublishDone,
            _ => Self::Other(word),
        }
    }

    /// The provider's word, as it is signed and as it is shown.
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
    /// Members that are not documented, as far as they can be kept.
    pub extra: Map<String, Value>,
    /// The unsigned members that are not quite as they were sent.
    pub altered: Vec<AlteredMember>,
}

/// What is wrong with a body that is not a notification. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, not an object, or a member named twice.
    #[error("the body is not a JSON object that can be read: {0}")]
    NotReadable(String),
    /// A member that every notification has is not there.
    #[error("the member `{0}` is missing")]
    Missing(&'static str),
    /// A member is there, but not as documented.
    #[error("the member `{name}` {problem}")]
    Malformed {
        name: &'static str,
        /// What is wrong with it; never its value.
        problem: String,
    },
    /// A time has 13 digits.
    #[error("the member `{0}` {IN_MILLISECONDS}")]
    Milliseconds(&'static str),
    /// It has the members of a recording or snapshot callback, and not those of a stream status notification.
    #[error("the body is a recording or snapshot callback")]
    OtherCallback,
}

/// What is wrong with a time in milliseconds.
pub const IN_MILLISECONDS: &str = "is in milliseconds; seconds are documented";

/// A body that is not a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANotification {
    pub problem: ParseError,
    /// The domain that it names, if it can be read that far.
    pub claimed_domain: Option<String>,
}

/// Reads one notification: strictly what the signature covers, and of everything else what can be kept.
///
/// # Errors
/// [`NotANotification`] when the body is not one JSON object, names one of its members twice, or lacks or misspells a
/// member that counts.
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
    let name = |member: &str| required_text(members, "domain", member, 255).ok();
    name("domain").or_else(|| name("publish_domain"))
}

fn read_fields(members: &Members<'_>) -> Result<Notification, ParseError> {
    let text = |name, most| required_text(members, name, name, most);
    let domain = text("domain", 255)?;
    let app = text("app", 255)?;
    if !is_app_name(&app) {
        return Err(malformed("app", "holds something other than letters, digits, `_` and `-`"));
    }
    let stream = text("stream", 512)?;
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
    // Whatever is no signature is none that verifies.
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

/// What can be read of an address, and whether that is not what was sent. No address is in an object, but credentials may
/// be, for which only `user_args` are searched.
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

/// The text of a member that counts; `name` is what errors call it.
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

/// Whole seconds: a string in canonical decimal, or a number that is whole however it is written. `None` without one.
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

/// The decimal digits of a JSON number that is whole and not negative, such as `1.79E9`; exact, as no float is made of it.
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

/// Whether a text can be the name of an application: letters, digits, `_` and `-`.
pub fn is_app_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
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
