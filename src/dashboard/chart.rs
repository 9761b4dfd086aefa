//! A chart of a count over time, with axes. The script shows the value under the pointer.
//!
//! Positions are percentages, so the chart fills any width and its labels keep their size.

use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, Timelike, Utc};
use maud::{Markup, html};
use serde_json::json;

use super::view::View;
use super::words;

/// A count at an instant, in seconds since 1970.
pub struct CountAt {
    pub at: i64,
    pub count: u32,
}

/// A line over `from..to`. `label` says what it counts.
pub fn line(view: View, from: DateTime<Utc>, to: DateTime<Utc>, values: &[CountAt], label: &str) -> Markup {
    let top = nice_top(values.iter().map(|value| value.count).max().unwrap_or_default());
    let begin = from.timestamp();
    let whole = (to - from).num_seconds().max(1);
    // The plot has 10,000 by 1,000 units.
    let x = |at: i64| ((at - begin) * 10_000 / whole).clamp(0, 10_000);
    let y = |count: u32| 1_000 - i64::from(count) * 1_000 / i64::from(top);
    let line: Vec<String> = values.iter().map(|value| format!("{},{}", x(value.at), y(value.count))).collect();
    let area = values
        .first()
        .zip(values.last())
        .map(|(first, last)| format!("{},1000 {} {},1000", x(first.at), line.join(" "), x(last.at)));
    let hover = json!(values.iter().map(|value| (value.at, value.count)).collect::<Vec<_>>()).to_string();
    html! {
        svg.chart role="img" aria-label=(label) data-values=(hover) data-from=(begin) data-to=(to.timestamp()) {
            @for part in 0..=2_u32 {
                line.grid x1="0" x2="100%" y1=(format!("{}%", 8 + part * 40)) y2=(format!("{}%", 8 + part * 40)) {}
            }
            @for (number, (at, name)) in ticks(view, from, to).iter().enumerate() {
                @let left = x(at.timestamp());
                @let place = format!("{}%", percent(left));
                line.tick x1=(place) x2=(place) y1="8%" y2="88%" {}
                text.axis.minor[number % 2 == 1] x=(place) y="98%" text-anchor=(anchor(left)) { (name) }
            }
            svg x="0" y="8%" width="100%" height="80%" viewBox="0 0 10000 1000" preserveAspectRatio="none" {
                @if let Some(area) = area { polygon points=(area) {} }
                polyline points=(line.join(" ")) {}
            }
            @for part in 0..2_u32 {
                text.axis x="4" y=(format!("{}%", 8 + part * 40)) dy="12" { (words::count(top - top * part / 2)) }
            }
        }
    }
}

/// Names at the ends of the axis must not leave the figure.
pub fn anchor(left: i64) -> &'static str {
    match left {
        ..400 => "start",
        9_600.. => "end",
        400..9_600 => "middle",
    }
}

/// Hundredths of a percent as a percentage.
pub fn percent(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The smallest even round number that is not below.
fn nice_top(most: u32) -> u32 {
    let mut unit = 1_u32;
    loop {
        for factor in [2, 4, 6, 10] {
            if factor * unit >= most {
                return factor * unit;
            }
        }
        let Some(next) = unit.checked_mul(10).filter(|next| *next < 100_000_000) else { return most.max(2) };
        unit = next;
    }
}

/// Instants to name on the axis, by the clock of the visitor's time zone: hours within two days, otherwise days.
pub fn ticks(view: View, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<(DateTime<Utc>, String)> {
    let hours = (to - from).num_hours();
    let step = match hours {
        ..=7 => 1,
        8..=14 => 2,
        15..=49 => 4,
        50.. => 24,
    };
    let days = u32::try_from(hours / 24 / 8 + 1).unwrap_or(1);
    // The next whole hour of the local clock.
    let local = view.local(from);
    let past_hour = TimeDelta::seconds(i64::from(local.minute() * 60 + local.second()));
    let mut at = from - past_hour - TimeDelta::nanoseconds(i64::from(from.timestamp_subsec_nanos()));
    if at < from {
        at += TimeDelta::hours(1);
    }
    let mut ticks = Vec::new();
    while at < to {
        let local = view.local(at);
        let midnight = local.time() == NaiveTime::MIN;
        let is_tick = if step == 24 {
            midnight && (days == 1 || local.day0().is_multiple_of(days))
        } else {
            local.minute() == 0 && local.hour().is_multiple_of(step)
        };
        if is_tick {
            let name = if midnight { words::date(view, at) } else { local.format("%H:%M").to_string() };
            ticks.push((at, name));
        }
        // Days have 23 hours or more.
        at += TimeDelta::hours(if step == 24 && midnight { 23 } else { 1 });
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::super::texts::Language;
    use super::*;

    fn names(zone: chrono_tz::Tz, from: &str, to: &str) -> Vec<String> {
        let [from, to] = [from, to].map(|text| text.parse::<DateTime<Utc>>().unwrap());
        let view = View { language: Language::English, zone, now: to };
        ticks(view, from, to).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn the_axis_follows_the_clock_of_the_time_zone() {
        assert_eq!(
            names(chrono_tz::Asia::Shanghai, "2026-11-26T04:10:00Z", "2026-11-27T04:10:00Z"),
            ["16:00", "20:00", "27 Nov", "04:00", "08:00", "12:00"]
        );
        assert_eq!(
            names(chrono_tz::Asia::Kathmandu, "2026-11-26T00:00:00Z", "2026-11-26T02:00:00Z"),
            ["06:00", "07:00"]
        );
        assert_eq!(
            names(chrono_tz::UTC, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ["1 Nov", "5 Nov", "9 Nov", "13 Nov", "17 Nov", "21 Nov", "25 Nov", "29 Nov"]
        );
    }

    #[test]
    fn the_top_is_round_and_holds_every_value() {
        for (most, top) in [(0, 2), (1, 2), (3, 4), (5, 6), (7, 10), (11, 20), (61, 100), (u32::MAX, u32::MAX)] {
            assert_eq!(nice_top(most), top, "{most}");
        }
    }
}
