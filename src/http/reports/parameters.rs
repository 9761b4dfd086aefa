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
use crate::report::parameters::{Layout, ReportSelection};
use crate::report::window::begin_of_date;

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
    /// Invalid bounds become an empty period; the reader rejects the request later.
    pub(crate) fn read(query: &mut QueryReader) -> Self {
        let time_zone = query.get("time_zone").unwrap_or(Tz::UTC);
        let (from, to) = (read_bound(query, "from", time_zone), read_bound(query, "to", time_zone));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            query.reject("to", "must be later than from");
        }
        let selection = ReportSelection {
            from: from.unwrap_or_default(),
            to: to.unwrap_or_default(),
            visible_domains: None,
            domain: query.string("domain"),
            app: query.string("app"),
            stream: query.string("stream"),
            search: None,
            renditions: query.get("renditions").unwrap_or(Renditions::Exclude),
        };
        Self { selection, time_zone, as_of: query.get::<DateTime<Utc>>("as_of") }
    }
}

/// A whole second, or the start of a date in the time zone.
fn read_bound(query: &mut QueryReader, name: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if !query.has(name) {
        query.reject(name, "is missing");
        return None;
    }
    let expected = "a date such as 2026-01-31, or a whole second with an offset such as 2026-01-31T08:00:00Z, of the \
                    years 1970 to 2099; write a plus sign as %2B";
    query.parse(name, expected, |text| {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == "2026-01-31".len());
        let time = match date {
            Some(date) => begin_of_date(zone, date).and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
            None => read_time(text),
        };
        time.filter(|time| *time == time.trunc_subsecs(0) && (EARLIEST..LATEST).contains(&time.timestamp()))
    })
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
    let expected = "a duration from 1m to 1d, in whole minutes, such as 5m";
    let read = |text: &str| {
        let step = humantime::parse_duration(text).ok().and_then(|step| TimeDelta::from_std(step).ok())?;
        let minutes = step.num_minutes();
        (step == TimeDelta::minutes(minutes) && (1..=24 * 60).contains(&minutes)).then_some(minutes * 60)
    };
    if !query.has("step") {
        query.reject("step", "is missing");
        return None;
    }
    query.parse("step", expected, read)
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
    pub fn of_concurrency(selection: &ReportSelection, time_zone: Tz, step_seconds: i64, as_of: DateTime<Utc>) -> Self {
        Self { step_seconds: Some(step_seconds), ..Self::of_selection(selection, time_zone, as_of) }
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
