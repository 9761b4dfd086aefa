//! The wire format of a stream status notification.
//!
//! The only place that knows the provider's field names and limits. What is accepted here is well-formed; whether it
//! is true is for [`super::admission`] to say. Error texts never quote a value: the message may hold credentials.

use serde_json::{Map, Value};

use super::members::{Body, Broken, Members};

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
    /// Members that are not documented, as far as they can be kept.
    pub extra: Map<String, Value>,
    /// The unsigned members that are not quite as they were sent.
    pub altered: Vec<AlteredMember>,
}

/// An unsigned member that could not be kept as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlteredMember {
    /// `user_args`.
    UserArgs,
    /// `client_ip`.
    ClientIp,
    /// `node_ip`.
    NodeIp,
    /// Some of the members that are not documented.
    Undocumented,
}

impl AlteredMember {
    /// Every such member.
    pub const ALL: [Self; 4] = [Self::UserArgs, Self::ClientIp, Self::NodeIp, Self::Undocumented];

    /// The word that stands in the log and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserArgs => "user_args",
            Self::ClientIp => "client_ip",
            Self::NodeIp => "node_ip",
            Self::Undocumented => "undocumented",
        }
    }
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
        /// The member.
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
    /// What is wrong with it.
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
#[must_use]
pub fn is_app_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn malformed(name: &'static str, problem: impl Into<String>) -> ParseError {
    ParseError::Malformed { name, problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(member: &str, value: &str) -> Result<Notification, ParseError> {
        with_bytes(member, value.as_bytes())
    }

    fn with_bytes(member: &str, value: &[u8]) -> Result<Notification, ParseError> {
        let mut members: Vec<(&str, &[u8])> = vec![
            ("domain", br#""push.example.com""#),
            ("app", br#""live""#),
            ("stream", br#""room""#),
            ("publish_timestamp", br#""1587954134""#),
            ("event", br#""PUBLISH""#),
        ];
        members.retain(|(name, _)| *name != member);
        if !value.is_empty() {
            members.push((member, value));
        }
        let body: Vec<Vec<u8>> =
            members.iter().map(|(name, value)| [format!("\"{name}\":").as_bytes(), value].concat()).collect();
        parse(&[b"{", body.join(&b',').as_slice(), b"}"].concat()).map_err(|error| error.problem)
    }

    #[test]
    fn timestamps_are_read_from_strings_and_integers_alike() {
        for value in ["1587954134", r#""1587954134""#] {
            assert_eq!(with("publish_timestamp", value).map(|n| n.publish_timestamp), Ok(1_587_954_134));
            assert_eq!(with("auth_timestamp", value).map(|n| n.auth_timestamp), Ok(Some(1_587_954_134)));
        }
    }

    #[test]
    fn timestamp_text_has_one_spelling_and_a_number_is_what_it_is_worth() {
        for value in
            ["01587954134", "+1587954134", " 1587954134", "1587954134 ", "1.5e9", "-1", "", "0x5ea6", "1587954134.0"]
        {
            assert!(with("publish_timestamp", &format!("\"{value}\"")).is_err(), "{value:?}");
        }
        for value in [
            "1587954134.5",
            "1.5879541345e9",
            "-1",
            "-0",
            "1e-9",
            "true",
            "[1587954134]",
            "null",
            "1e99",
            "1e99999999999",
        ] {
            assert!(with("publish_timestamp", value).is_err(), "{value}");
        }
        for (value, seconds) in [
            ("1587954134.0", 1_587_954_134),
            ("1.587954134E9", 1_587_954_134),
            ("15879541340e-1", 1_587_954_134),
            ("1.79E+9", 1_790_000_000),
            ("0.0", 0),
            ("0e7", 0),
        ] {
            assert_eq!(with("publish_timestamp", value).map(|n| n.publish_timestamp), Ok(seconds), "{value}");
            assert_eq!(with("auth_timestamp", value).map(|n| n.auth_timestamp), Ok(Some(seconds)), "{value}");
        }
    }

    #[test]
    fn a_time_in_milliseconds_is_named() {
        for value in ["1587954134000", r#""1587954134000""#, "1.587954134e12"] {
            assert_eq!(with("publish_timestamp", value).err(), Some(ParseError::Milliseconds("publish_timestamp")));
        }
        assert!(matches!(with("publish_timestamp", "15879541340000"), Err(ParseError::Malformed { .. })));
    }

    #[test]
    fn empty_signature_members_are_absent() {
        for member in ["auth_timestamp", "auth_sign"] {
            let parsed = with(member, r#""""#).expect("well-formed");
            assert_eq!((parsed.auth_timestamp, parsed.auth_sign), (None, None));
        }
        assert_eq!(with("auth_sign", "[1]").map(|n| n.auth_sign), Ok(Some("1".to_owned())));
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
    fn a_repeated_member_is_rejected_and_one_within_an_unsigned_member_is_not() {
        assert!(parse(br#"{"domain":"a","domain":"a"}"#).is_err());
        assert!(parse(br#"{"domain":"a","d\u006fmain":"a"}"#).is_err());
        let parsed = with("more", r#"{"a":1,"b":[{"c":1,"c":2}]}"#).expect("well-formed");
        assert_eq!(Value::Object(parsed.extra), serde_json::json!({ "more": { "a": 1, "b": [{ "c": 2 }] } }));
        assert_eq!(parsed.altered, [AlteredMember::Undocumented]);
        assert_eq!(with("more", r#"{"a":1,"b":[{"c":1},{"c":1}]}"#).map(|n| n.altered), Ok(vec![]));
    }

    #[test]
    fn control_characters_are_rejected_in_what_is_signed_and_escaped_elsewhere() {
        for (escape, kept) in [("\\u0000", "\\u{0}"), ("\\n", "\\n"), ("\\u007f", "\\u{7f}"), ("\\u0085", "\\u{85}")] {
            assert!(with("stream", &format!("\"a{escape}\"")).is_err(), "{escape}");
            let parsed = with("user_args", &format!("\"a{escape}\"")).expect("well-formed");
            assert_eq!((parsed.user_args, parsed.altered), (Some(format!("a{kept}")), vec![AlteredMember::UserArgs]));
            let parsed = with("more", &format!("[{{\"a{escape}\":1}}]")).expect("well-formed");
            assert_eq!(parsed.extra["more"][0][format!("a{kept}")], 1);
        }
    }

    #[test]
    fn an_unsigned_member_of_any_shape_is_kept_as_far_as_it_can_be_read() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        for (value, kept) in [
            (r#""a=1&b=2""#, Some("a=1&b=2")),
            ("[]", None),
            ("{}", None),
            ("7", Some("7")),
            ("false", Some("false")),
            (r#"["a=1",["b=2"]]"#, Some("a=1&b=2")),
            (r#"{"a":1,"b":{"c":"d"}}"#, Some("a=1&b=c=d")),
            ("1e999", None),
            (&deep, None),
        ] {
            let parsed = with("user_args", value).expect("well-formed");
            assert_eq!(parsed.user_args.as_deref(), kept, "{value}");
            assert_eq!(parsed.altered.is_empty(), value.starts_with('"'), "{value}");
            assert!(with("more", value).is_ok());
        }
        assert_eq!(with("client_ip", r#"["203.0.113.7"]"#).map(|n| n.client_ip), Ok(Some("203.0.113.7".to_owned())));
        assert_eq!(with("client_ip", r#""""#).map(|n| (n.client_ip, n.altered)), Ok((None, vec![])));
        let long = with("node_ip", &format!("\"{}\"", "é".repeat(200))).expect("well-formed");
        assert_eq!(long.node_ip, Some(format!("{}…", "é".repeat(127))));
        assert_eq!(long.altered, [AlteredMember::NodeIp]);
    }

    #[test]
    fn bytes_that_json_does_not_allow_cost_no_push_unless_something_signed_holds_them() {
        for (bytes, kept) in [
            (&b"\"a=\xb9\xe3&b=2\""[..], "a=\u{fffd}\u{fffd}&b=2"),
            (b"\"a=1\tb\"", "a=1\\tb"),
            (b"\"a=\x00\x1f\"", "a=\\u{0}\\u{1f}"),
            (b"\"a=\\x41\\'\"", "a=\u{fffd}x41\u{fffd}'"),
            (b"\"a=\\ud800&b=\\ud83d\\ude00&c=\\u00e9\"", "a=\u{fffd}&b=😀&c=é"),
        ] {
            let parsed = with_bytes("user_args", bytes).expect("well-formed");
            assert_eq!(parsed.user_args.as_deref(), Some(kept));
            assert_eq!(parsed.altered, [AlteredMember::UserArgs]);
            assert!(with_bytes("stream", bytes).is_err());
        }
        // A character that stands for others is a name's own where nothing was replaced.
        assert!(with("stream", "\"a\u{fffd}\"").is_ok());
    }

    #[test]
    fn a_byte_order_mark_and_a_final_nul_are_skipped() {
        let body = br#"{"domain":"a","app":"b","stream":"c","event":"PUBLISH","publish_timestamp":1}"#;
        let parsed = parse(body).expect("well-formed");
        for odd in [[b"\xef\xbb\xbf", &body[..]].concat(), [&body[..], b"\0"].concat()] {
            assert!(parse(&odd).is_ok_and(|other| other == parsed));
        }
    }

    #[test]
    fn what_is_not_known_is_kept_up_to_a_bound() {
        let parsed = with("quality", r#"{"fps":25}"#).expect("well-formed");
        assert_eq!(serde_json::to_string(&parsed.extra).expect("json"), r#"{"quality":{"fps":25}}"#);
        assert_eq!(with("event", r#""PUBLISHED""#).map(|n| n.event), Ok(Event::Other("PUBLISHED".into())));
        let kept = with("more", &format!("\"{}\"", "x".repeat(8_000))).expect("well-formed");
        assert!(kept.extra.contains_key("more") && kept.altered.is_empty());
        let dropped = with("more", &format!("\"{}\"", "x".repeat(8_192))).expect("well-formed");
        assert_eq!((dropped.extra.len(), dropped.altered), (0, vec![AlteredMember::Undocumented]));
    }

    #[test]
    fn the_domain_is_named_as_far_as_the_body_can_be_read() {
        for (body, domain) in [
            (r#"{"domain":"a","app":1}"#, Some("a")),
            (r#"{"domain":"a","app":"b""#, Some("a")),
            (r#"{"app":"b","domain":"a","domain":"a"}"#, Some("a")),
            (r#"{"publish_domain":"a","event_type":"RECORD_START"}"#, Some("a")),
            (r#"{"app":"b","domain":["#, None),
            (r#"{"domain":"a\u0000"}"#, None),
            (r#"["domain"]"#, None),
        ] {
            let error = parse(body.as_bytes()).err().expect("not a notification");
            assert_eq!(error.claimed_domain.as_deref(), domain, "{body}");
        }
        let recording = br#"{"publish_domain":"a","event_type":"RECORD_START","app":"b","stream":"c"}"#;
        assert_eq!(parse(recording).err().map(|error| error.problem), Some(ParseError::OtherCallback));
    }

    #[test]
    fn errors_never_quote_the_message() {
        let body = br#"{"auth_sign":"s3cret","user_args":["s3cret"],"domain":"a","app":"b","stream":["s3cret"],"event":"PUBLISH"}"#;
        let error = parse(body).err().expect("a list is no name");
        assert!(!error.problem.to_string().contains("s3cret"));
    }
}
