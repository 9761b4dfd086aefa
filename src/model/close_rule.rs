//! When a session of a domain ends without an end callback.

use std::str::FromStr;

use chrono::TimeDelta;
use serde::{Serialize, Serializer};

use super::duration;

/// The word for [`CloseRule::Never`].
const OFF: &str = "off";

/// How long a session may be live, since its start or since an operator or the provider's list confirmed it, before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CloseRule {
    /// As long as the setting of the service says, `--close-unconfirmed-after`.
    #[default]
    Service,
    /// As long as it likes.
    Never,
    /// Whole seconds, at least one: a time-out lies after the confirmation from which it counts.
    After(TimeDelta),
}

impl CloseRule {
    /// From the column of the domain.
    pub fn of_seconds(seconds: Option<i64>) -> Self {
        match seconds {
            None => Self::Service,
            Some(0) => Self::Never,
            Some(seconds) => Self::After(TimeDelta::seconds(seconds)),
        }
    }

    /// For the column of the domain.
    pub fn seconds(self) -> Option<i64> {
        match self {
            Self::Service => None,
            Self::Never => Some(0),
            Self::After(duration) => Some(duration.num_seconds()),
        }
    }

    /// As it is written: `None` for the service's setting, `off`, or a duration such as `12h`.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Service => None,
            Self::Never => Some(OFF.to_owned()),
            Self::After(duration) => {
                Some(humantime::format_duration(duration.to_std().unwrap_or_default()).to_string())
            }
        }
    }
}

impl FromStr for CloseRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == OFF { Ok(Self::Never) } else { read_duration_until_end(text).map(Self::After) }
    }
}

impl Serialize for CloseRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text().serialize(serializer)
    }
}

/// Parses the duration after which a session ends: whole seconds, at least one.
///
/// # Errors
/// The text is not such a duration.
pub fn read_duration_until_end(text: &str) -> Result<TimeDelta, String> {
    let duration = duration::read(text)?;
    if duration < TimeDelta::seconds(1) {
        Err("at least 1s".to_owned())
    } else if duration.subsec_nanos() != 0 {
        Err("write whole seconds".to_owned())
    } else {
        Ok(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_is_written_and_kept_as_seconds() {
        for (text, seconds) in [("off", 0), ("1s", 1), ("12h", 43_200), ("1day 12h", 129_600)] {
            let rule: CloseRule = text.parse().unwrap();
            assert_eq!((rule.seconds(), rule.text().as_deref()), (Some(seconds), Some(text)));
            assert_eq!(CloseRule::of_seconds(rule.seconds()), rule);
        }
        assert_eq!((CloseRule::Service.seconds(), CloseRule::Service.text()), (None, None));
        assert_eq!(CloseRule::of_seconds(None), CloseRule::Service);
    }

    #[test]
    fn a_rule_is_a_number_of_whole_seconds_up_to_ten_years() {
        for text in ["", "0s", "999ms", "1500ms", "12", "-1h", "4000days", "never", "OFF"] {
            assert!(text.parse::<CloseRule>().is_err(), "{text}");
        }
    }
}
