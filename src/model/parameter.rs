//! Parses values of query parameters, and describes valid ones.

use chrono::{DateTime, SubsecRound, Timelike, Utc};
use chrono_tz::Tz;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// Upper limit of filters in Unix seconds and of durations: ten digits, like `publish_timestamp`.
pub const MAX_SECONDS: i64 = 9_999_999_999;

/// The type of a parameter.
pub trait Parameter: Sized {
    /// A description of valid values that follows "must be".
    fn expected() -> String;

    /// `None` when the text is invalid.
    fn read(text: &str) -> Option<Self>;
}

/// Reads a member of a body like a parameter.
///
/// # Errors
/// It is not a string, or not valid.
pub fn deserialize<'de, T: Parameter, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::read(&text).ok_or_else(|| D::Error::custom(format!("must be {}", T::expected())))
}

/// The same for a member that may be null.
pub fn deserialize_some<'de, T: Parameter, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| T::read(&text).ok_or_else(|| D::Error::custom(format!("must be {}", T::expected())))).transpose()
}

/// Access to parameters by name.
pub trait Parameters {
    fn get<T: Parameter>(&mut self, name: &str) -> Option<T>;
}

impl Parameter for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// What is expected of a parameter that has one of these values.
pub fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

impl Parameter for bool {
    fn expected() -> String {
        one_of(&["true", "false"])
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Whole seconds.
impl Parameter for i64 {
    fn expected() -> String {
        format!("an integer from 0 to {MAX_SECONDS}")
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|seconds| (0..=MAX_SECONDS).contains(seconds))
    }
}

impl Parameter for Uuid {
    fn expected() -> String {
        "an id".to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        Self::try_parse(text).ok()
    }
}

impl Parameter for Tz {
    fn expected() -> String {
        "the name of a time zone in the IANA database, such as Europe/Berlin".to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Parameter for DateTime<Utc> {
    fn expected() -> String {
        "an RFC 3339 time with an offset, such as 2026-01-31T08:00:00Z; write a plus sign as %2B".to_owned()
    }

    /// Truncates to microseconds, the precision of the database.
    fn read(text: &str) -> Option<Self> {
        read_time(text).map(|time| time.trunc_subsecs(6))
    }
}

/// A time with an offset. A leap second (`:60`) is rejected: the database would interpret it as another instant.
pub fn read_time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (time.nanosecond() < 1_000_000_000).then_some(time)
}
