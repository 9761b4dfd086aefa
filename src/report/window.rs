//! Windows of a report: actual local hours, days, weeks and months of a time zone.
//!
//! A window begins at a full local hour, or at the start of a local date, week or month; weeks begin on Monday. Days, weeks and
//! months begin at the first instant of their first date, whether local midnight then occurs once, twice, or not at all: a day has 23 or 25 hours
//! when the clock changes. Hours begin when the local clock reaches or skips a full hour. An hour that occurs twice is
//! therefore two windows, and where the clock changes by half an hour, one window is shorter or longer.
//!
//! Windows have no gaps; the first and the last are clipped to the period. All times are Unix seconds.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Weekday};
use chrono_tz::Tz;

use crate::model::report::WindowSize;

const HOUR: i64 = 3_600;

/// Upper bound of any zone's offset from UTC, and of any skipped time.
const FURTHEST: i64 = 48 * HOUR;

/// The windows of `[from, to)` that start before `horizon`, after which nothing is known.
///
/// Returns the starts of the windows, and finally the end of the last: `to`, or, if the horizon cuts the period, an
/// earlier end of a window. A period that is empty, or starts at the horizon or later, has none.
pub fn list_bounds(from: i64, to: i64, horizon: i64, size: WindowSize, zone: Tz) -> Vec<i64> {
    if from >= to || from >= horizon {
        return Vec::new();
    }
    let mut bounds = vec![from];
    let mut at = from;
    while at < to && at < horizon {
        at = match size {
            WindowSize::Whole => to,
            WindowSize::Hour => next_hour(zone, at),
            WindowSize::Day => next_date(zone, at, |date| date.checked_add_days(Days::new(1))),
            WindowSize::Week => {
                next_date(zone, at, |date| date.week(Weekday::Mon).last_day().checked_add_days(Days::new(1)))
            }
            WindowSize::Month => {
                next_date(zone, at, |date| date.with_day(1).and_then(|first| first.checked_add_months(Months::new(1))))
            }
        }
        .min(to);
        bounds.push(at);
    }
    bounds
}

/// The first instant of a date; `None` for unsupported dates.
pub fn begin_of_date(zone: Tz, date: NaiveDate) -> Option<i64> {
    let midnight = date.and_time(NaiveTime::MIN);
    let mut early = midnight.and_utc().timestamp() - FURTHEST;
    let mut late = midnight.and_utc().timestamp() + FURTHEST;
    if let Some(earliest) = zone.from_local_datetime(&midnight).earliest() {
        return Some(earliest.timestamp());
    }
    // The clock skips midnight: finds the first instant at which it shows a later time.
    while early + 1 < late {
        let middle = early.midpoint(late);
        if local(zone, middle)? < midnight { early = middle } else { late = middle }
    }
    Some(late)
}

/// The first instant of the date that `later` computes from the current one.
fn next_date(zone: Tz, at: i64, later: impl Fn(NaiveDate) -> Option<NaiveDate>) -> i64 {
    let mut date = local(zone, at).and_then(|time| later(time.date()));
    loop {
        let begin = date.and_then(|date| begin_of_date(zone, date)).unwrap_or(i64::MAX);
        if begin > at {
            return begin;
        }
        // The clock went back to the previous date shortly after midnight: the next date has begun already.
        date = date.and_then(&later);
    }
}

/// The next instant at which the local clock reaches or skips a full hour.
fn next_hour(zone: Tz, mut at: i64) -> i64 {
    loop {
        let Some(offset) = offset(zone, at) else { return i64::MAX };
        let strikes = at + HOUR - (at + offset).rem_euclid(HOUR);
        let Some(changed) = first_change(zone, at, strikes, offset) else { return strikes };
        let (before, after) = (changed + offset, changed + self::offset(zone, changed).unwrap_or(offset));
        if after.rem_euclid(HOUR) == 0 || (before - 1).div_euclid(HOUR) != after.div_euclid(HOUR) {
            return changed;
        }
        at = changed;
    }
}

/// The first instant after `at`, up to `until`, with a different offset.
fn first_change(zone: Tz, at: i64, until: i64, offset: i64) -> Option<i64> {
    let differs = |instant| self::offset(zone, instant).is_some_and(|other| other != offset);
    if !differs(until) {
        return None;
    }
    let (mut same, mut other) = (at, until);
    while same + 1 < other {
        let middle = same.midpoint(other);
        if differs(middle) { other = middle } else { same = middle }
    }
    Some(other)
}

/// The local time.
fn local(zone: Tz, at: i64) -> Option<NaiveDateTime> {
    Some(DateTime::from_timestamp(at, 0)?.with_timezone(&zone).naive_local())
}

/// The offset from UTC, in seconds.
fn offset(zone: Tz, at: i64) -> Option<i64> {
    let utc = DateTime::from_timestamp(at, 0)?.naive_utc();
    Some(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp()
    }

    /// The lengths of a period's windows, in minutes.
    fn minutes(zone: Tz, size: WindowSize, from: &str, to: &str) -> Vec<i64> {
        let bounds = list_bounds(at(from), at(to), i64::MAX, size, zone);
        bounds.windows(2).map(|pair| (pair[1] - pair[0]) / 60).collect()
    }

    #[test]
    fn days_are_as_long_as_they_are() {
        let berlin = |from, to| minutes(Tz::Europe__Berlin, WindowSize::Day, from, to);
        assert_eq!(berlin("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z"), [23 * 60, 24 * 60]);
        assert_eq!(berlin("2026-10-24T22:00:00Z", "2026-10-26T23:00:00Z"), [25 * 60, 24 * 60]);
        let lord_howe = |from, to| minutes(Tz::Australia__Lord_Howe, WindowSize::Day, from, to);
        assert_eq!(lord_howe("2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"), [24 * 60 + 30]);
        assert_eq!(lord_howe("2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"), [23 * 60 + 30]);
        let kathmandu = minutes(Tz::Asia__Kathmandu, WindowSize::Day, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        assert_eq!(kathmandu, [18 * 60 + 15, 5 * 60 + 45]);
    }

    #[test]
    fn a_day_begins_when_its_midnight_is_skipped_and_once_when_it_comes_twice() {
        // Clocks went from 24:00 to 1:00, and back from 24:00 to 23:00.
        let asuncion = |from, to| minutes(Tz::America__Asuncion, WindowSize::Day, from, to);
        assert_eq!(asuncion("2023-09-30T04:00:00Z", "2023-10-02T03:00:00Z"), [24 * 60, 23 * 60]);
        assert_eq!(asuncion("2023-03-25T03:00:00Z", "2023-03-27T04:00:00Z"), [25 * 60, 24 * 60]);
        // A minute after midnight they went back to a minute after eleven.
        let newfoundland =
            minutes(Tz::America__St_Johns, WindowSize::Day, "2010-11-06T02:30:00Z", "2010-11-08T03:30:00Z");
        assert_eq!(newfoundland, [24 * 60, 25 * 60]);
        // A whole day was skipped.
        let apia = minutes(Tz::Pacific__Apia, WindowSize::Day, "2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z");
        assert_eq!(apia, [24 * 60, 24 * 60]);
    }

    #[test]
    fn hours_begin_when_the_clock_strikes_or_skips_one() {
        let berlin = |from, to| minutes(Tz::Europe__Berlin, WindowSize::Hour, from, to);
        assert_eq!(berlin("2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z"), [60, 60, 60]);
        assert_eq!(berlin("2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"), [60, 60, 60]);
        let lord_howe = |from, to| minutes(Tz::Australia__Lord_Howe, WindowSize::Hour, from, to);
        assert_eq!(lord_howe("2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z"), [90, 60]);
        assert_eq!(lord_howe("2026-10-03T14:30:00Z", "2026-10-03T16:30:00Z"), [60, 30, 30]);
        let kolkata = minutes(Tz::Asia__Kolkata, WindowSize::Hour, "2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z");
        assert_eq!(kolkata, [30, 60, 30]);
    }

    #[test]
    fn months_are_as_long_as_they_are() {
        let days = |from, to| {
            minutes(Tz::UTC, WindowSize::Month, from, to).into_iter().map(|minutes| minutes / 1440).collect::<Vec<_>>()
        };
        assert_eq!(days("2024-01-31T00:00:00Z", "2024-04-02T00:00:00Z"), [1, 29, 31, 1]);
        assert_eq!(days("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"), [28]);
    }

    #[test]
    fn weeks_begin_on_monday_and_are_as_long_as_they_are() {
        let hours = |zone, from, to| {
            minutes(zone, WindowSize::Week, from, to).into_iter().map(|minutes| minutes / 60).collect::<Vec<_>>()
        };
        // From Thursday, 1 October 2026. Clocks go back on Sunday, 25 October.
        let october = hours(Tz::Europe__Berlin, "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z");
        assert_eq!(october, [4 * 24, 7 * 24, 7 * 24, 7 * 24 + 1, 6 * 24]);
        assert_eq!(hours(Tz::UTC, "2026-11-02T00:00:00Z", "2026-11-09T00:00:00Z"), [7 * 24]);
    }

    #[test]
    fn nothing_begins_after_the_horizon_but_what_began_before_is_whole() {
        let bounds = |horizon| list_bounds(0, 3 * HOUR, horizon, WindowSize::Hour, Tz::UTC);
        assert_eq!(bounds(HOUR + 1), [0, HOUR, 2 * HOUR]);
        assert_eq!(bounds(HOUR), [0, HOUR]);
        assert_eq!(bounds(0), [0; 0]);
        assert_eq!(list_bounds(5, 5, 9, WindowSize::Whole, Tz::UTC), [0; 0]);
        assert_eq!(list_bounds(0, 10, 5, WindowSize::Whole, Tz::UTC), [0, 10]);
    }

    proptest! {
        #[test]
        fn windows_follow_each_other_and_are_those_of_the_zones_clock(
            zone in proptest::sample::select(chrono_tz::TZ_VARIANTS.as_slice()),
            from in 0_i64..2_000_000_000,
            length in 1_i64..40 * 86_400,
            size in proptest::sample::select(vec![WindowSize::Hour, WindowSize::Day, WindowSize::Week, WindowSize::Month]),
        ) {
            let bounds = list_bounds(from, from + length, i64::MAX, size, zone);
            prop_assert_eq!((bounds[0], bounds[bounds.len() - 1]), (from, from + length));
            prop_assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
            for begin in &bounds[1..bounds.len() - 1] {
                let (before, time) = (local(zone, begin - 1).unwrap(), local(zone, *begin).unwrap());
                match size {
                    WindowSize::Hour => {
                        let offsets = [begin - 1, *begin].map(|at| offset(zone, at).unwrap());
                        prop_assert!((begin + offsets[1]) % HOUR == 0 || offsets[0] != offsets[1]);
                    }
                    WindowSize::Day => prop_assert!(before.date() < time.date()),
                    WindowSize::Week => {
                        prop_assert!(before.date() < time.date());
                        prop_assert!(before.iso_week() < time.iso_week());
                    }
                    WindowSize::Month => prop_assert!((before.year(), before.month()) < (time.year(), time.month())),
                    WindowSize::Whole => unreachable!("not among the sizes"),
                }
            }
            // Starting within a window, or at its start, does not change the later windows.
            let later = bounds[(bounds.len() - 1) / 2];
            prop_assert_eq!(list_bounds(later, from + length, i64::MAX, size, zone), bounds.into_iter().filter(|at| *at >= later).collect::<Vec<_>>());
        }
    }
}
