//! The parameters that all reports share.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::query_reader::QueryReader;
use crate::model::parameter::{Parameters, read_time};
use crate::model::report::{GroupBy, WindowSize};
use crate::model::session::Renditions;
use crate::platform::clock;
use crate::report::parameters::{Layout, ReportSelection};
use crate::report::period::Period;
use crate::report::window::begin_of_date;

/// The word for the month before that of `as_of`.
const LAST_MONTH: &str = "last_month";

/// Limits of periods: the years 1970 to 2099, plus one day on either side for every offset.
const EARLIEST: i64 = -86_400;
const LATEST: i64 = 4_102_444_800 + 86_400;

#[derive(Debug, Clone)]
pub struct Asked {
    pub selection: ReportSelection,
    pub time_zone: Tz,
    /// `None`: now.
    pub as_of: Option<DateTime<Utc>>,
}

impl Asked {
    /// For bills: the bounds of the period are dates or whole seconds.
    pub(crate) fn read(query: &mut QueryReader) -> Self {
        Self::read_with(query, read_bound)
    }

    /// For charts: the bounds may be any time, also in milliseconds since 1970. Fractions of a second are dropped.
    pub(crate) fn read_for_chart(query: &mut QueryReader) -> Self {
        Self::read_with(query, read_bound_of_chart)
    }

    /// An invalid period becomes an empty one; the reader rejects the request later.
    fn read_with(
        query: &mut QueryReader,
        read_bound: impl Fn(&mut QueryReader, &str, Tz) -> Option<DateTime<Utc>>,
    ) -> Self {
        let time_zone = query.get("time_zone").unwrap_or(Tz::UTC);
        let as_of = query.get::<DateTime<Utc>>("as_of");
        let Period { from, to, .. } = if query.has("month") {
            read_month(query, time_zone, as_of.unwrap_or_else(clock::now))
        } else {
            let from = read_bound(query, "from", time_zone);
            let to = read_bound(query, "to", time_zone);
            if from.zip(to).is_some_and(|(from, to)| from >= to) {
                query.reject("to", "must be later than from");
            }
            Period { from: from.unwrap_or_default(), to: to.unwrap_or_default(), zone: time_zone }
        };
        let selection = ReportSelection {
            from,
            to,
            visible_domains: None,
            domain: query.string("domain"),
            app: query.string("app"),
            stream: query.string("stream"),
            search: None,
            renditions: query.get("renditions").unwrap_or(Renditions::Exclude),
        };
        Self { selection, time_zone, as_of }
    }
}

/// The period of a month: `2026-11`, or `last_month`, which is the one before that of `now`.
fn read_month(query: &mut QueryReader, zone: Tz, now: DateTime<Utc>) -> Period {
    for bound in ["from", "to"] {
        if query.string(bound).is_some() {
            query.reject(bound, "must be omitted with month");
        }
    }
    let expected = "last_month, or a month such as 2026-01, of the years 1970 to 2099";
    let period = query.parse("month", expected, |text| match text {
        LAST_MONTH => Period::of_last_month(now, zone),
        month => {
            let first = NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").ok();
            let first = first.filter(|_| month.len() == "2026-01".len())?;
            Period::of_month(first, zone).filter(|period| is_supported(period.from) && is_supported(period.to))
        }
    });
    period.unwrap_or(Period { from: DateTime::default(), to: DateTime::default(), zone })
}

/// A whole second, or the start of a date in the time zone.
fn read_bound(query: &mut QueryReader, name: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let expected = "a date such as 2026-01-31, or a whole second with an offset such as 2026-01-31T08:00:00Z, of the \
                    years 1970 to 2099; write a plus sign as %2B";
    parse_required(query, name, expected, |text| {
        let time = read_begin_of_date(text, zone).or_else(|| read_time(text));
        time.filter(|time| *time == time.trunc_subsecs(0) && is_supported(*time))
    })
}

/// As Grafana sends it: the start of a date in the time zone, a time, or milliseconds since 1970. In whole seconds, rounded down.
fn read_bound_of_chart(query: &mut QueryReader, name: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let expected = "a date such as 2026-01-31, a time with an offset such as 2026-01-31T08:00:00Z, or milliseconds since \
                    1970, of the years 1970 to 2099; write a plus sign as %2B";
    parse_required(query, name, expected, |text| {
        let time = if text.bytes().all(|byte| byte.is_ascii_digit()) {
            DateTime::from_timestamp_millis(text.parse().ok()?)
        } else {
            read_begin_of_date(text, zone).or_else(|| read_time(text))
        };
        time.map(|time| time.trunc_subsecs(0)).filter(|time| is_supported(*time))
    })
}

fn read_begin_of_date(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == "2026-01-31".len())?;
    DateTime::from_timestamp(begin_of_date(zone, date)?, 0)
}

fn is_supported(time: DateTime<Utc>) -> bool {
    (EARLIEST..LATEST).contains(&time.timestamp())
}

fn parse_required<T>(
    query: &mut QueryReader,
    name: &str,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    if !query.has(name) {
        query.reject(name, "is missing");
        return None;
    }
    query.parse(name, expected, read)
}

pub(crate) fn read_layout(query: &mut QueryReader, time_zone: Tz) -> Layout {
    Layout {
        time_zone,
        window: query.get("window").unwrap_or_default(),
        group_by: query.get("group_by").unwrap_or_default(),
    }
}

/// The step in seconds.
pub(crate) fn read_step(query: &mut QueryReader) -> Option<i64> {
    let expected = "a duration from 1s to 31d, in whole seconds, such as 5m";
    parse_required(query, "step", expected, |text| {
        let step = humantime::parse_duration(text).ok().and_then(|step| TimeDelta::from_std(step).ok())?;
        let seconds = step.num_seconds();
        (step == TimeDelta::seconds(seconds) && (1..=31 * 86_400).contains(&seconds)).then_some(seconds)
    })
}

/// The parameters of a report, including defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportParameters)]
pub struct ParametersView {
    /// Start of the period (inclusive).
    #[schema(value_type = String, format = DateTime)]
    from: DateTime<Utc>,
    /// End of the period (exclusive).
    #[schema(value_type = String, format = DateTime)]
    to: DateTime<Utc>,
    /// The time zone of the windows.
    #[schema(value_type = TimeZoneSchema)]
    time_zone: &'static str,
    /// The windows that divide the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<WindowSize>,
    /// How the rows are grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_by: Option<GroupBy>,
    /// Step of a concurrency report, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    step_seconds: Option<i64>,
    /// Only this ingest domain counts.
    #[schema(required)]
    domain: Option<String>,
    /// Only this app counts.
    #[schema(required)]
    app: Option<String>,
    /// Only this stream name counts.
    #[schema(required)]
    stream: Option<String>,
    /// Whether transcoded renditions count.
    renditions: Renditions,
    /// The instant up to which the log counts.
    #[schema(value_type = String, format = DateTime)]
    as_of: DateTime<Utc>,
}

impl ParametersView {
    #[must_use]
    pub fn of_push_duration(selection: &ReportSelection, layout: Layout, as_of: DateTime<Utc>) -> Self {
        Self {
            window: Some(layout.window),
            group_by: Some(layout.group_by),
            ..Self::of_selection(selection, layout.time_zone, as_of)
        }
    }

    #[must_use]
    pub fn of_concurrency(
        selection: &ReportSelection,
        time_zone: Tz,
        step_seconds: i64,
        group_by: GroupBy,
        as_of: DateTime<Utc>,
    ) -> Self {
        Self {
            step_seconds: Some(step_seconds),
            group_by: Some(group_by).filter(|group_by| *group_by != GroupBy::NOTHING),
            ..Self::of_selection(selection, time_zone, as_of)
        }
    }

    fn of_selection(selection: &ReportSelection, time_zone: Tz, as_of: DateTime<Utc>) -> Self {
        Self {
            from: selection.from,
            to: selection.to,
            time_zone: time_zone.name(),
            window: None,
            group_by: None,
            step_seconds: None,
            domain: selection.domain.clone(),
            app: selection.app.clone(),
            stream: selection.stream.clone(),
            renditions: selection.renditions,
            as_of,
        }
    }

    /// The query of a request that always returns the same report.
    pub(crate) fn to_query(&self) -> String {
        let members = self.members().into_iter();
        let parts = members.map(|(name, text)| format!("{name}={}", utf8_percent_encode(&text, NON_ALPHANUMERIC)));
        parts.collect::<Vec<_>>().join("&")
    }

    /// The parameters of that request.
    pub(crate) fn members(&self) -> Vec<(String, String)> {
        let members = serde_json::to_value(self).unwrap_or_default();
        let members = members.as_object().into_iter().flatten();
        members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }
}

/// The name of a time zone in the IANA database.
pub struct TimeZoneSchema;

impl ToSchema for TimeZoneSchema {
    fn name() -> Cow<'static, str> {
        "TimeZoneWord".into()
    }
}

impl PartialSchema for TimeZoneSchema {
    fn schema() -> RefOr<Schema> {
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let variables: Vec<_> = names().map(variable_for).collect();
        let words = Object::builder().schema_type(Type::String).enum_values(Some(names()));
        words.extensions(Some(Extensions::from_iter([("x-enum-varnames", variables)]))).into()
    }
}

/// The name of the zone in generated clients, which drop signs: `Etc/GMT+1` and `Etc/GMT-1` would collide.
fn variable_for(zone: &str) -> String {
    let signed = zone.replace("GMT+", "GMT_plus_").replace("GMT-", "GMT_minus_");
    signed.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

/// A date, read in the report's time zone, or a whole second with an offset.
pub struct PeriodBound;

impl ToSchema for PeriodBound {}

impl PartialSchema for PeriodBound {
    fn schema() -> RefOr<Schema> {
        matching(&format!("^{DATE}({TIME}{OFFSET})?$"), "2026-10-01")
    }
}

/// A bound of a chart's period: also any time, and milliseconds since 1970.
pub struct ChartBound;

impl ToSchema for ChartBound {}

impl PartialSchema for ChartBound {
    fn schema() -> RefOr<Schema> {
        matching(
            &format!("^({DATE}({TIME}(\\.[0-9]{{1,9}})?{OFFSET})?|[1-9][0-9]{{0,11}}|[1-3][0-9]{{12}})$"),
            "2026-10-01",
        )
    }
}

/// A month, or the word for the last one.
pub struct MonthSchema;

impl ToSchema for MonthSchema {
    fn name() -> Cow<'static, str> {
        "Month".into()
    }
}

impl PartialSchema for MonthSchema {
    fn schema() -> RefOr<Schema> {
        matching(&format!("^({LAST_MONTH}|(19[7-9][0-9]|20[0-9]{{2}})-(0[1-9]|1[0-2]))$"), "2026-10")
    }
}

/// An RFC 3339 time with an offset.
pub struct TimestampSchema;

impl ToSchema for TimestampSchema {
    fn name() -> Cow<'static, str> {
        "Moment".into()
    }
}

impl PartialSchema for TimestampSchema {
    fn schema() -> RefOr<Schema> {
        matching(&format!("^{DATE}{TIME}(\\.[0-9]{{1,9}})?{OFFSET}$"), "2026-11-02T08:00:00.123456Z")
    }
}

/// Dates of the years 1970 to 2099. Every fourth year is a leap year.
const DATE: &str = "((19[7-9][0-9]|20[0-9]{2})-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)\
                    |(0[13578]|1[02])-31)|(19(7[26]|8[048]|9[26])|20([02468][048]|[13579][26]))-02-29)";
const TIME: &str = "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
const OFFSET: &str = "(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])";

fn matching(pattern: &str, example: &str) -> RefOr<Schema> {
    Object::builder().schema_type(Type::String).pattern(Some(pattern)).examples([serde_json::json!(example)]).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_time_zones_have_the_same_variable_in_a_generated_client() {
        let variables: HashSet<_> = chrono_tz::TZ_VARIANTS.iter().map(|zone| variable_for(zone.name())).collect();
        assert_eq!(variables.len(), chrono_tz::TZ_VARIANTS.len());
        for (zone, variable) in [("Europe/Berlin", "Europe_Berlin"), ("Etc/GMT-1", "Etc_GMT_minus_1")] {
            assert_eq!(variable_for(zone), variable);
        }
    }
}
