//! Times, durations and states in words.

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

use crate::model::ClosedSet;
use crate::model::session::{EndSource, Flag};

/// A time, in UTC; the script shows it in the reader's zone, and keeps this on hover.
pub fn time(at: DateTime<Utc>) -> Markup {
    let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let shown = at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(text) title=(shown) { (shown) } }
}

/// The date of a time in a time zone; in UTC, if there is no such zone.
pub fn date(at: DateTime<Utc>, time_zone: &str) -> String {
    let zone: chrono_tz::Tz = time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
    at.with_timezone(&zone).format("%Y-%m-%d").to_string()
}

/// A time, or a dash.
pub fn maybe_time(at: Option<DateTime<Utc>>) -> Markup {
    at.map_or_else(|| html! { "–" }, time)
}

/// A duration, which goes on if it is of something live.
pub fn duration(seconds: i64, live_since: Option<DateTime<Utc>>) -> Markup {
    let since = live_since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true));
    html! { span.clock data-since=[since] { (in_words(seconds)) } }
}

/// A duration as `1 d 02:03:04`.
pub fn in_words(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let clock = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if days > 0 { format!("{days} d {clock}") } else { clock }
}

/// The state of a session.
pub fn state(live: bool, unconfirmed: bool) -> Markup {
    let (class, word) = match (live, unconfirmed) {
        (true, true) => ("unconfirmed", "unconfirmed"),
        (true, false) => ("live", "live"),
        (false, _) => ("ended", "ended"),
    };
    html! { span.state.(class) { (word) } }
}

/// Why a session ended, in words.
pub fn end_source(source: Option<EndSource>) -> &'static str {
    match source {
        Some(EndSource::Notification) => "reported by the provider",
        Some(EndSource::Operator) => "set by an operator",
        Some(EndSource::Superseded) => "inferred: the next push of the stream began",
        Some(EndSource::TimedOut) => "inferred: no end arrived for too long",
        None => "no end known",
    }
}

pub fn list<T: ClosedSet>(values: &[T]) -> String {
    values.iter().map(|value| readable(value.as_str())).collect::<Vec<_>>().join(", ")
}

/// A value of a closed set in plain text.
pub fn readable(value: &str) -> String {
    value.replace('_', " ")
}

/// What a flag says.
pub fn flag(flag: Flag) -> &'static str {
    match flag {
        Flag::StartMissing => "Its end was received, its start never.",
        Flag::EndBeforeStart => "By our clock it ended before it began: it counts as zero seconds.",
        Flag::KeyConflict => "Two pushes of the stream began in the same second, and cannot be told apart.",
        Flag::QuarantinedMessages => "Verified messages about it were set aside: its events give the reason.",
        Flag::SharedSignature => {
            "A callback counted by a signature that another push of the stream had used just before."
        }
    }
}

/// A path with those of these parameters that there are.
pub fn path(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| {
        Some(format!("{name}={}", percent_encoding::utf8_percent_encode((*value)?, percent_encoding::NON_ALPHANUMERIC)))
    });
    let query = given.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_on_a_clock() {
        assert_eq!(in_words(0), "00:00:00");
        assert_eq!(in_words(86_399), "23:59:59");
        assert_eq!(in_words(90_061), "1 d 01:01:01");
    }

    #[test]
    fn what_stands_in_a_path_is_encoded() {
        assert_eq!(path("/a", &[("b", Some("c&d=é")), ("e", None)]), "/a?b=c%26d%3D%C3%A9");
        assert_eq!(path("/a", &[("b", None)]), "/a");
    }
}
