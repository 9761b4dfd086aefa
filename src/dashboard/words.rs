//! How pages show times, durations, numbers and states.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use maud::{Markup, PreEscaped, html};

use super::texts::Language;
use super::view::View;
use crate::model::ClosedSet;
use crate::model::session::{EndSource, Flag};
use crate::report::csv;

/// A time in the visitor's time zone, with seconds. The tooltip names the zone and UTC.
pub fn time(view: View, at: DateTime<Utc>) -> Markup {
    html! { time datetime=(machine(at)) title=(exact(view, at)) { (date_and_time(view, at)) } }
}

/// How long ago a time was, such as `2 min ago`. The tooltip has the time.
pub fn ago(view: View, at: DateTime<Utc>) -> Markup {
    let text = view.language;
    let since = text.ago(&largest_units(text, (view.now - at).num_seconds().max(0), 1));
    html! { time datetime=(machine(at)) title=(exact(view, at)) { (since) } }
}

/// A time, or a dash.
pub fn maybe_time(view: View, at: Option<DateTime<Utc>>) -> Markup {
    at.map_or_else(|| html! { "–" }, |at| time(view, at))
}

/// How long ago a time was, or a dash.
pub fn maybe_ago(view: View, at: Option<DateTime<Utc>>) -> Markup {
    at.map_or_else(|| html! { "–" }, |at| ago(view, at))
}

/// For `datetime` and for scripts.
pub fn machine(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-11-27 11:18:25 Asia/Shanghai, 03:18:25 UTC`.
pub fn exact(view: View, at: DateTime<Utc>) -> String {
    let utc = at.format("%Y-%m-%d %H:%M:%S UTC");
    if view.zone == chrono_tz::Tz::UTC {
        utc.to_string()
    } else {
        format!("{} {}, {utc}", view.local(at).format("%Y-%m-%d %H:%M:%S"), view.zone)
    }
}

/// `27 Nov 11:18:25`, or `11月27日 11:18:25`; the year only if it is not this one.
pub fn date_and_time(view: View, at: DateTime<Utc>) -> String {
    format!("{} {}", date(view, at), view.local(at).format("%H:%M:%S"))
}

/// `27 Nov`, or `11月27日`; the year only if it is not this one.
pub fn date(view: View, at: DateTime<Utc>) -> String {
    let (local, this_year) = (view.local(at), view.local(view.now).year());
    let format = match (view.language, local.year() == this_year) {
        (Language::English, true) => "%-d %b",
        (Language::English, false) => "%-d %b %Y",
        (Language::Chinese, true) => "%-m月%-d日",
        (Language::Chinese, false) => "%Y年%-m月%-d日",
    };
    local.format(format).to_string()
}

/// A duration that the script counts up, in an element of its own.
pub fn clock(view: View, since: DateTime<Utc>) -> Markup {
    let seconds = (view.now - since).num_seconds().max(0);
    html! { span.clock data-since=(machine(since)) title=(in_clock(seconds)) { (duration(view.language, seconds)) } }
}

/// A duration by its two largest units, such as `2 h 55 min`. The tooltip has the seconds.
pub fn lasted(view: View, seconds: i64) -> Markup {
    html! { span title=(in_clock(seconds)) { (duration(view.language, seconds)) } }
}

/// A duration by its two largest units: `3 d 4 h`, `2 h 55 min`, `47 min 16 s`, `41 s`.
pub fn duration(text: Language, seconds: i64) -> String {
    largest_units(text, seconds, 2)
}

fn largest_units(text: Language, seconds: i64, most: usize) -> String {
    let units =
        [(86_400, text.unit_days()), (3_600, text.unit_hours()), (60, text.unit_minutes()), (1, text.unit_seconds())];
    let largest = units.iter().position(|(length, _)| seconds >= *length).unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, unit) in units.iter().skip(largest).take(most) {
        parts.push(format!("{} {unit}", rest / length));
        rest %= length;
    }
    parts.join(" ")
}

/// A duration as `1 d 02:03:04`.
pub fn in_clock(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let clock = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if days > 0 { format!("{days} d {clock}") } else { clock }
}

/// Hours with two decimals, such as `2,949.84`. The tooltip has the seconds.
pub fn hours(seconds: i64) -> Markup {
    html! { span title=(in_clock(seconds)) { (decimal_hours(seconds)) } }
}

/// Hours, rounded half up to two decimals.
pub fn decimal_hours(seconds: i64) -> String {
    csv::hours_in("−", grouped, seconds)
}

/// A whole number with separators of thousands.
pub fn count(number: impl TryInto<u64>) -> String {
    grouped(number.try_into().unwrap_or_default())
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A text with markup in the places of `{}`.
pub fn fill(text: &str, parts: &[Markup]) -> Markup {
    let mut filled = String::new();
    let mut parts = parts.iter();
    for (place, piece) in text.split("{}").enumerate() {
        if place > 0 {
            filled.push_str(parts.next().map_or("", |part| &part.0));
        }
        let _ = write!(filled, "{}", html! { (piece) }.0);
    }
    PreEscaped(filled)
}

pub fn end_source(text: Language, source: Option<EndSource>) -> String {
    match source {
        Some(EndSource::Notification) => text.end_by_callback(),
        Some(EndSource::Operator) => text.end_by_operator(),
        Some(EndSource::Superseded) => text.end_superseded(),
        Some(EndSource::TimedOut) => text.end_timed_out(),
        Some(EndSource::Unlisted) => text.end_unlisted(),
        Some(EndSource::ProviderHistory) => text.end_by_history(),
        None => text.end_unknown(),
    }
}

pub fn list<T: ClosedSet>(values: &[T]) -> String {
    values.iter().map(|value| readable(value.as_str())).collect::<Vec<_>>().join(", ")
}

pub fn readable(value: &str) -> String {
    value.replace('_', " ")
}

pub fn flag_name(text: Language, flag: Flag) -> String {
    match flag {
        Flag::StartMissing => text.flag_start_missing(),
        Flag::StartListed => text.flag_start_listed(),
        Flag::EndBeforeStart => text.flag_end_before_start(),
        Flag::KeyConflict => text.flag_key_conflict(),
        Flag::QuarantinedMessages => text.flag_quarantined_messages(),
        Flag::SharedSignature => text.flag_shared_signature(),
    }
}

pub fn flag_meaning(text: Language, flag: Flag) -> String {
    match flag {
        Flag::StartMissing => text.flag_start_missing_means(),
        Flag::StartListed => text.flag_start_listed_means(),
        Flag::EndBeforeStart => text.flag_end_before_start_means(),
        Flag::KeyConflict => text.flag_key_conflict_means(),
        Flag::QuarantinedMessages => text.flag_quarantined_messages_means(),
        Flag::SharedSignature => text.flag_shared_signature_means(),
    }
}

/// The flags of a session, each with its meaning as the tooltip.
pub fn flags(view: View, flags: &[Flag]) -> Markup {
    let text = view.language;
    html! { @for flag in flags { " " span.flag title=(flag_meaning(text, *flag)) { (flag_name(text, *flag)) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_by_their_two_largest_units() {
        for (seconds, english, chinese) in [
            (0, "0 s", "0 秒"),
            (41, "41 s", "41 秒"),
            (2_836, "47 min 16 s", "47 分钟 16 秒"),
            (10_500, "2 h 55 min", "2 小时 55 分钟"),
            (90_061, "1 d 1 h", "1 天 1 小时"),
        ] {
            assert_eq!(duration(Language::English, seconds), english);
            assert_eq!(duration(Language::Chinese, seconds), chinese);
        }
        assert_eq!(in_clock(86_399), "23:59:59");
        assert_eq!(in_clock(90_061), "1 d 01:01:01");
    }

    #[test]
    fn hours_are_rounded_to_hundredths_with_separators() {
        for (seconds, shown) in [
            (0, "0.00"),
            (17, "0.00"),
            (18, "0.01"),
            (3_600, "1.00"),
            (10_619_424, "2,949.84"),
            (-60, "−0.02"),
            (-5, "0.00"),
        ] {
            assert_eq!(decimal_hours(seconds), shown, "{seconds}");
        }
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn a_text_is_filled_with_markup_and_escaped() {
        assert_eq!(fill("a < {}, {}", &[html! { b { "&" } }, html! { "c" }]).0, "a &lt; <b>&amp;</b>, c");
    }
}
