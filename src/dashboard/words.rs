//! How pages show times, durations and states.

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

use crate::model::ClosedSet;
use crate::model::session::{EndSource, Flag};

/// A time in UTC. The script shows it in the reader's time zone and keeps UTC as the tooltip.
pub fn time(at: DateTime<Utc>) -> Markup {
    let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let shown = at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(text) title=(shown) { (shown) } }
}

/// The date of a time in a time zone; in UTC if the zone is unknown.
pub fn date(at: DateTime<Utc>, time_zone: &str) -> String {
    let zone: chrono_tz::Tz = time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
    at.with_timezone(&zone).format("%Y-%m-%d").to_string()
}

/// A time, or a dash.
pub fn maybe_time(at: Option<DateTime<Utc>>) -> Markup {
    at.map_or_else(|| html! { "–" }, time)
}

/// A duration; the script counts it up if `live_since` is given.
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

pub fn state(live: bool, unconfirmed: bool) -> Markup {
    let (class, word) = match (live, unconfirmed) {
        (true, true) => ("unconfirmed", "unconfirmed"),
        (true, false) => ("live", "live"),
        (false, _) => ("ended", "ended"),
    };
    html! { span.state.(class) { (word) } }
}

pub fn end_source(source: Option<EndSource>) -> &'static str {
    match source {
        Some(EndSource::Notification) => "reported by the provider",
        Some(EndSource::Operator) => "set by an operator",
        Some(EndSource::Superseded) => "inferred: superseded by the next push of the stream",
        Some(EndSource::TimedOut) => "inferred: timed out without an end callback",
        None => "no end known",
    }
}

pub fn list<T: ClosedSet>(values: &[T]) -> String {
    values.iter().map(|value| readable(value.as_str())).collect::<Vec<_>>().join(", ")
}

pub fn readable(value: &str) -> String {
    value.replace('_', " ")
}

pub fn flag(flag: Flag) -> &'static str {
    match flag {
        Flag::StartMissing => "The end was received, but not the start.",
        Flag::EndBeforeStart => {
            "By this service's clock, the session ended before it started: it counts as zero seconds."
        }
        Flag::KeyConflict => "Two pushes of the stream started in the same second and cannot be distinguished.",
        Flag::QuarantinedMessages => {
            "Authenticated callbacks of this session were quarantined: its events give the reason."
        }
        Flag::SharedSignature => {
            "A callback counted although another push of the stream had used its signature shortly before."
        }
    }
}

/// A path with those parameters that have a value.
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
    fn durations_are_shown_as_on_a_clock() {
        assert_eq!(in_words(0), "00:00:00");
        assert_eq!(in_words(86_399), "23:59:59");
        assert_eq!(in_words(90_061), "1 d 01:01:01");
    }

    #[test]
    fn parameters_of_a_path_are_encoded() {
        assert_eq!(path("/a", &[("b", Some("c&d=é")), ("e", None)]), "/a?b=c%26d%3D%C3%A9");
        assert_eq!(path("/a", &[("b", None)]), "/a");
    }
}
