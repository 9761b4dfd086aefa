//! Links to the pages.

use std::fmt::Display;

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::ROOT;
use crate::model::ClosedSet;
use crate::model::rejection::RejectionReason;
use crate::store::release::ReleaseSelection;

/// What a path must encode. Proxies may decode the rest, and the path is compared.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The page at a path below the root.
pub fn page(path: impl Display) -> String {
    format!("{ROOT}/{path}")
}

/// A path with those parameters that have a value.
pub fn with(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", utf8_percent_encode((*value)?, NON_ALPHANUMERIC))));
    let query = given.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The value of a parameter, if it is not what the page shows without one.
pub fn unless_default<T: ClosedSet + Default + PartialEq>(value: T) -> Option<&'static str> {
    (value != T::default()).then(|| value.as_str())
}

/// The live streams of a domain.
pub fn live_of(domain: &str) -> String {
    with(ROOT, &[("domain", Some(domain))])
}

pub fn stream(stream_id: Uuid) -> String {
    page(format_args!("streams/{stream_id}"))
}

pub fn session(session_id: Uuid) -> String {
    page(format_args!("sessions/{session_id}"))
}

/// The form of a session's end time.
pub fn session_end(session_id: Uuid) -> String {
    page(format_args!("sessions/{session_id}/end"))
}

/// The form that confirms that a session is still live.
pub fn session_confirmation(session_id: Uuid) -> String {
    page(format_args!("sessions/{session_id}/confirm"))
}

/// The form that releases a quarantined callback.
pub fn release(event_id: Uuid) -> String {
    page(format_args!("events/{event_id}/release"))
}

/// The form that releases all quarantined callbacks of a domain and reason that were received in a period.
pub fn release_all(selection: &ReleaseSelection) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let from = time(selection.from);
    let to = time(selection.to);
    let parameters = [
        ("domain", Some(selection.domain.as_str())),
        ("reason", Some(selection.reason.as_str())),
        ("from", Some(from.as_str())),
        ("to", Some(to.as_str())),
    ];
    with(&page("problems/release"), &parameters)
}

pub fn find() -> String {
    page("find")
}

/// What is found for a text.
pub fn find_text(text: &str) -> String {
    with(&find(), &[("text", Some(text))])
}

pub fn problems() -> String {
    page("problems")
}

/// The form that retries kept rejections.
pub fn retries() -> String {
    page("problems/retry")
}

/// The form for those of a claimed domain that were rejected for a reason.
pub fn retry(domain: &str, reason: RejectionReason) -> String {
    with(&retries(), &[("domain", Some(domain)), ("reason", Some(reason.as_str()))])
}

pub fn reports() -> String {
    page("reports")
}

pub fn set_up() -> String {
    page("set-up")
}

/// The form of a new domain, with its name.
pub fn new_domain(domain: &str) -> String {
    with(&set_up(), &[("domain", Some(domain))])
}

pub fn domain(domain: &str) -> String {
    page(format_args!("set-up/domains/{}", utf8_percent_encode(domain, ENCODED)))
}

/// What the provider's lists of a domain have shown.
pub fn provider_lists(domain: &str) -> String {
    page(format_args!("domains/{}/lists", utf8_percent_encode(domain, ENCODED)))
}

/// The steps that connect a domain.
pub fn connect(domain: &str) -> String {
    format!("{}/connect", self::domain(domain))
}

pub fn diagnose() -> String {
    page("set-up/diagnose")
}

/// The list of tokens.
pub fn tokens() -> String {
    page("set-up#tokens")
}

pub fn token(token_id: Uuid) -> String {
    page(format_args!("set-up/tokens/{token_id}"))
}

pub fn webhooks() -> String {
    page("set-up/webhooks")
}

pub fn webhook(webhook_id: Uuid) -> String {
    page(format_args!("set-up/webhooks/{webhook_id}"))
}

pub fn providers() -> String {
    page("set-up/providers")
}

pub fn provider(account_id: Uuid) -> String {
    page(format_args!("set-up/providers/{account_id}"))
}

pub fn sign_in() -> String {
    page("sign-in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_path_are_encoded() {
        assert_eq!(with("/a", &[("b", Some("c&d=é")), ("e", None)]), "/a?b=c%26d%3D%C3%A9");
        assert_eq!(with("/a", &[("b", None)]), "/a");
    }
}
