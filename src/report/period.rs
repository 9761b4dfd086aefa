//! The period of a report, as people name it: a month, or days, by the clock of the report's time zone.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::parameters::{Layout, ReportSelection};
use super::window::begin_of_date;
use crate::model::report::WindowSize;

/// `[from, to)` in a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub zone: Tz,
}

/// What a period consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodShape {
    /// One month, by its first date.
    Month(NaiveDate),
    /// Whole days, by the first and the last date.
    Days(NaiveDate, NaiveDate),
    Times,
}

impl Period {
    pub fn of(selection: &ReportSelection, zone: Tz) -> Self {
        Self { from: selection.from, to: selection.to, zone }
    }

    /// The days from `first` to `last`; `None` for unsupported dates.
    pub fn of_days(first: NaiveDate, last: NaiveDate, zone: Tz) -> Option<Self> {
        let begin = |date| DateTime::from_timestamp(begin_of_date(zone, date)?, 0);
        Some(Self { from: begin(first)?, to: begin(last.checked_add_days(Days::new(1))?)?, zone })
    }

    /// A month by its first date; `None` for unsupported dates.
    pub fn of_month(first: NaiveDate, zone: Tz) -> Option<Self> {
        Self::of_days(first, first.checked_add_months(Months::new(1))?.pred_opt()?, zone)
    }

    /// The month before that of an instant; `None` for unsupported dates.
    pub fn of_last_month(now: DateTime<Utc>, zone: Tz) -> Option<Self> {
        let this_month = now.with_timezone(&zone).date_naive().with_day(1)?;
        Self::of_month(this_month.checked_sub_months(Months::new(1))?, zone)
    }

    pub fn shape(self) -> PeriodShape {
        // The end is exclusive: the last date is that of the moment before.
        let first = self.from.with_timezone(&self.zone).date_naive();
        let last = (self.to - TimeDelta::seconds(1)).with_timezone(&self.zone).date_naive();
        if first.day() == 1 && Self::of_month(first, self.zone) == Some(self) {
            PeriodShape::Month(first)
        } else if Self::of_days(first, last, self.zone) == Some(self) {
            PeriodShape::Days(first, last)
        } else {
            PeriodShape::Times
        }
    }
}

/// The name of a report's file, such as `push-hours-2026-11-Asia-Shanghai-by-domain`, without an ending.
pub fn file_name(selection: &ReportSelection, layout: Layout) -> String {
    let period = period_name(selection, layout.time_zone);
    let group = layout.group_by.as_str().replace(',', "-");
    let window = match layout.window {
        WindowSize::Whole => "",
        WindowSize::Hour => "-per-hour",
        WindowSize::Day => "-per-day",
        WindowSize::Week => "-per-week",
        WindowSize::Month => "-per-month",
    };
    format!("push-hours-{period}-by-{group}{window}")
}

/// The period in the name of a file, such as `2026-11-Asia-Shanghai`.
pub fn period_name(selection: &ReportSelection, zone: Tz) -> String {
    let period = match Period::of(selection, zone).shape() {
        PeriodShape::Month(first) => first.format("%Y-%m").to_string(),
        PeriodShape::Days(first, last) if first == last => first.to_string(),
        PeriodShape::Days(first, last) => format!("{first}-to-{last}"),
        PeriodShape::Times => {
            let [from, to] =
                [selection.from, selection.to].map(|time| time.with_timezone(&zone).format("%Y-%m-%dT%H%M%S"));
            format!("{from}-to-{to}")
        }
    };
    format!("{period}-{}", zone.name().replace('/', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::GroupBy;
    use crate::model::session::Renditions;

    fn name(from: &str, to: &str, time_zone: Tz, window: WindowSize) -> String {
        let selection = ReportSelection {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            visible_domains: None,
            domain: None,
            app: None,
            stream: None,
            search: None,
            renditions: Renditions::Exclude,
        };
        file_name(
            &selection,
            Layout { time_zone, window, group_by: GroupBy { domain: true, app: true, stream: false } },
        )
    }

    #[test]
    fn a_file_is_named_by_the_month_or_the_days_of_its_time_zone() {
        use WindowSize::{Day, Whole};
        for (from, to, zone, window, expected) in [
            ("2026-10-31T16:00:00Z", "2026-11-30T16:00:00Z", Tz::Asia__Shanghai, Whole, "2026-11-Asia-Shanghai"),
            ("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z", Tz::Europe__Berlin, Whole, "2026-11-Europe-Berlin"),
            (
                "2026-10-31T16:00:00Z",
                "2026-11-30T16:00:00Z",
                Tz::UTC,
                Whole,
                "2026-10-31T160000-to-2026-11-30T160000-UTC",
            ),
            ("2026-11-01T00:00:00Z", "2026-11-08T00:00:00Z", Tz::UTC, Day, "2026-11-01-to-2026-11-07-UTC"),
            ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", Tz::UTC, Whole, "2026-11-01-UTC"),
        ] {
            let per = if window == Day { "-per-day" } else { "" };
            assert_eq!(name(from, to, zone, window), format!("push-hours-{expected}-by-domain-app{per}"));
        }
    }

    #[test]
    fn a_month_begins_where_the_clock_skips_its_midnight() {
        // On 1 October 2023, clocks in Asunción went from 0:00 to 1:00.
        let first = NaiveDate::from_ymd_opt(2023, 10, 1).unwrap();
        let october = Period::of_month(first, Tz::America__Asuncion).unwrap();
        assert_eq!(october.from.to_rfc3339(), "2023-10-01T04:00:00+00:00");
        assert_eq!(october.shape(), PeriodShape::Month(first));
    }

    #[test]
    fn last_month_is_that_of_the_zones_clock() {
        let last_month = |now: &str, zone| Period::of_last_month(now.parse().unwrap(), zone).unwrap().shape();
        let of = |text: &str| PeriodShape::Month(text.parse().unwrap());
        assert_eq!(last_month("2026-11-30T15:59:59Z", Tz::Asia__Shanghai), of("2026-10-01"));
        assert_eq!(last_month("2026-11-30T16:00:00Z", Tz::Asia__Shanghai), of("2026-11-01"));
        assert_eq!(last_month("2027-01-15T00:00:00Z", Tz::UTC), of("2026-12-01"));
    }

    #[test]
    fn a_day_ends_where_its_clock_reaches_or_skips_midnight() {
        for (zone, day, end) in [
            (Tz::Asia__Shanghai, "2026-12-31", "2026-12-31T16:00:00Z"),
            (Tz::UTC, "2026-12-31", "2027-01-01T00:00:00Z"),
            // The clock goes from 24:00 to 01:00.
            (Tz::Africa__Cairo, "2026-04-23", "2026-04-23T22:00:00Z"),
        ] {
            let day = day.parse().unwrap();
            assert_eq!(Period::of_days(day, day, zone).unwrap().to, end.parse::<DateTime<Utc>>().unwrap(), "{zone}");
        }
    }
}
