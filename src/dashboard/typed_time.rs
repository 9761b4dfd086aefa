//! Dates and times that were typed into forms, by the clock of a time zone.

use std::ops::Range;

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::view::View;

/// The years that dates may have.
const YEARS: Range<i32> = 1970..2100;

/// As browsers send the time of a form.
const FIELD_FORMAT: &str = "%Y-%m-%dT%H:%M:%S";

/// A date such as `2026-01-31`.
pub fn read_date(typed: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(typed, "%Y-%m-%d").ok()?;
    (typed.len() == "2026-01-31".len() && is_supported(date)).then_some(date)
}

pub fn is_supported(date: NaiveDate) -> bool {
    YEARS.contains(&date.year())
}

/// A time, which the zone's clock may show twice or skip; `None` if it is not a time. Browsers omit zero seconds.
pub fn read_time(zone: Tz, typed: &str) -> Option<LocalResult<DateTime<Utc>>> {
    let formats = [FIELD_FORMAT, "%Y-%m-%dT%H:%M"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(typed, format).ok());
    Some(zone.from_local_datetime(&local?).map(|time| time.to_utc()))
}

/// A time as the value of a field.
pub fn in_field(view: View, time: DateTime<Utc>) -> String {
    view.local(time).format(FIELD_FORMAT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_by_the_clock_of_the_zone() {
        let read = |zone: Tz, typed: &str| read_time(zone, typed).map(|time| time.map(|time| time.to_rfc3339()));
        let single = |time: &str| Some(LocalResult::Single(time.to_owned()));
        assert_eq!(read(Tz::Asia__Shanghai, "2026-11-27T20:00"), single("2026-11-27T12:00:00+00:00"));
        assert_eq!(read(Tz::UTC, "2026-11-27T20:00:05"), single("2026-11-27T20:00:05+00:00"));
        let berlin = Tz::Europe__Berlin;
        assert_eq!(read(berlin, "2026-03-29T02:30:00"), Some(LocalResult::None));
        assert!(matches!(read(berlin, "2026-10-25T02:30:00"), Some(LocalResult::Ambiguous(..))));
        for typed in ["", "20:00", "2026-02-30T00:00"] {
            assert_eq!(read(berlin, typed), None, "{typed}");
        }
    }

    #[test]
    fn a_date_has_four_digits_of_a_year_that_reports_support() {
        assert_eq!(read_date("2026-01-31"), NaiveDate::from_ymd_opt(2026, 1, 31));
        for typed in ["", "2026-1-31", "2026-02-30", "1969-12-31", "2100-01-01", "+026-01-01"] {
            assert_eq!(read_date(typed), None, "{typed}");
        }
    }
}
