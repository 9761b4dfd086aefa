//! Durations as people write them.

use std::time::Duration;

use chrono::TimeDelta;

/// Parses a duration such as `600s`, `10m` or `1h 30m`; at most 10 years.
///
/// # Errors
/// The text is not a duration.
pub fn read(text: &str) -> Result<TimeDelta, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a number with its unit, such as 600s, 10m or 12h"))?;
    if duration > Duration::from_hours(10 * 366 * 24) {
        return Err("at most 10 years".to_owned());
    }
    TimeDelta::from_std(duration).map_err(|error| error.to_string())
}
