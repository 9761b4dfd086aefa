//! What a receiver's answer means.

use chrono::{DateTime, TimeDelta, Utc};

/// The result of an attempt that reached the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Any 2xx.
    Accepted,
    /// The attempt failed. Redirections are not followed: they fail, too.
    Failed {
        /// The receiver asks for fewer requests, or is overloaded.
        overloaded: bool,
        retry_after: Option<TimeDelta>,
    },
    /// 410: the receiver wants no more deliveries.
    Gone,
}

impl Answer {
    /// Reads a status and the header `Retry-After`, which is a number of seconds or a date.
    pub fn of(status: u16, retry_after: Option<&str>, now: DateTime<Utc>) -> Self {
        match status {
            200..=299 => Self::Accepted,
            410 => Self::Gone,
            _ => Self::Failed {
                overloaded: matches!(status, 429 | 502 | 503 | 504),
                retry_after: retry_after.and_then(|text| read_retry_after(text.trim(), now)),
            },
        }
    }
}

/// `None` for what is neither, and for a date in the past.
fn read_retry_after(text: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(TimeDelta::seconds(i64::from(seconds)));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    let pause = date.with_timezone(&Utc) - now;
    (pause > TimeDelta::zero()).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-27T03:15:00Z").unwrap().to_utc()
    }

    #[test]
    fn only_success_is_success() {
        for status in [200, 204, 299] {
            assert_eq!(Answer::of(status, None, now()), Answer::Accepted);
        }
        assert_eq!(Answer::of(410, None, now()), Answer::Gone);
        for (status, overloaded) in
            [(301, false), (307, false), (400, false), (404, false), (500, false), (429, true), (503, true)]
        {
            assert_eq!(Answer::of(status, None, now()), Answer::Failed { overloaded, retry_after: None }, "{status}");
        }
    }

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        for (text, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("Fri, 27 Nov 2026 03:16:30 GMT", Some(90)),
            ("Fri, 27 Nov 2026 03:14:00 GMT", None),
            ("-5", None),
            ("99999999999999999999", None),
            ("soon", None),
        ] {
            let expected = Answer::Failed { overloaded: true, retry_after: seconds.map(TimeDelta::seconds) };
            assert_eq!(Answer::of(429, Some(text), now()), expected, "{text}");
        }
    }
}
