//! Time zones, and times as people write them.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use clap::Args;

use super::BadUsage;
use super::suggestion::closest;
use crate::model::parameter::read_time;

/// For commands that show times, or take them without an offset.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ZoneOption {
    /// Time zone of the times shown, and of times without an offset. Default: that of this machine
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    time_zone: Option<Tz>,
}

impl ZoneOption {
    pub(super) fn set_default(&mut self, zone: Tz) {
        self.time_zone.get_or_insert(zone);
    }

    pub(super) fn zone(self) -> Tz {
        self.time_zone.unwrap_or_else(system_zone)
    }
}

/// A time zone of the IANA database.
///
/// # Errors
/// There is none of this name; suggests a similar one.
pub(super) fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
        let city = |name: &str| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text));
        match names().find(|name| city(name)).or_else(|| closest(text, names())) {
            Some(name) => format!("did you mean {name}?"),
            None => "write a name of the IANA database, such as Asia/Shanghai or UTC".to_owned(),
        }
    })
}

/// The zone of `TZ`, otherwise of the machine, otherwise UTC.
fn system_zone() -> Tz {
    let name = std::env::var("TZ").ok().or_else(|| iana_time_zone::get_timezone().ok()).unwrap_or_default();
    match name.trim_start_matches(':').parse() {
        // The name that machines without a zone have.
        Ok(Tz::Etc__UTC) | Err(_) => Tz::UTC,
        Ok(zone) => zone,
    }
}

/// As the API writes times.
pub(super) fn utc(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A time with an offset, or a date or a time by the clock of the zone. `flag` is for the error.
///
/// # Errors
/// It is not a time, or the zone's clock shows it twice or never.
pub(super) fn read_local(flag: &str, text: &str, zone: Tz) -> Result<DateTime<Utc>, BadUsage> {
    if let Some(time) = read_time(text) {
        return Ok(time);
    }
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.and_time(NaiveTime::MIN));
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).or_else(date);
    let Some(local) = local else {
        let forms = "2026-11-22, 2026-11-22T20:00 or 2026-11-22T12:00:00Z";
        return Err(BadUsage(format!("{flag} is not a time: write it like {forms}")));
    };
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) => Ok(time.to_utc()),
        LocalResult::Ambiguous(..) => Err(BadUsage(format!(
            "{flag}: clocks in {zone} show {text} twice, because they are set back; add the offset, as in +02:00"
        ))),
        LocalResult::None => {
            Err(BadUsage(format!("{flag}: clocks in {zone} never show {text}, because they are set forward")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_is_misspelled_is_suggested() {
        assert_eq!(zone("Asia/Shanghai"), Ok(Tz::Asia__Shanghai));
        for (text, meant) in [("shanghai", "Asia/Shanghai"), ("Europe/Berlim", "Europe/Berlin")] {
            assert_eq!(zone(text), Err(format!("did you mean {meant}?")));
        }
        assert!(zone("nowhere at all").unwrap_err().contains("IANA"));
    }

    #[test]
    fn a_time_without_an_offset_is_one_of_the_zone() {
        let read = |text: &str| read_local("--from", text, Tz::Europe__Berlin);
        for text in ["2026-11-22T12:00:00Z", "2026-11-22T13:00", "2026-11-22 13:00:00", "2026-11-22T20:00:00+08:00"] {
            assert_eq!(read(text).unwrap().to_rfc3339(), "2026-11-22T12:00:00+00:00", "{text}");
        }
        assert_eq!(read("2026-11-22").unwrap().to_rfc3339(), "2026-11-21T23:00:00+00:00");
        for (text, words) in
            [("yesterday", "is not a time"), ("2026-03-29 02:30", "never show"), ("2026-10-25 02:30", "twice")]
        {
            assert!(read(text).unwrap_err().to_string().contains(words), "{text}");
        }
    }
}
