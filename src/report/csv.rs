//! Files as CSV (RFC 4180), for programs.
//!
//! Names come from outside, and spreadsheets interpret a cell as a formula if it begins with one of certain signs,
//! including full-width ones. An apostrophe is put before these, and before an apostrophe, so that it can be removed
//! again. All other cells are numbers and times.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use csv::{StringRecord, Terminator, WriterBuilder};

use super::file::table::Cell;
use super::file::term::Term;
use super::parameters::GroupName;
use super::push_duration::NamedRow;
use super::sweep::WindowTotals;

/// The columns of a report of push duration that are members of the API's rows, too. They are its first ones.
pub const COLUMNS: [&str; 13] = [
    "domain",
    "app",
    "stream",
    "window_start",
    "window_end",
    "sessions",
    "sessions_started",
    "push_seconds",
    "confirmed_seconds",
    "estimated_seconds",
    "open_seconds",
    "on_air_seconds",
    "peak_live_sessions",
];

/// Tells Excel that a file is UTF-8.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The header line.
pub fn header(columns: &[Term]) -> Vec<u8> {
    record(columns.iter().map(|column| column.as_str()))
}

/// The line of a row.
pub fn line(cells: &[Cell], zone: Tz) -> Vec<u8> {
    record(cells.iter().map(|cell| match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => guarded(text),
        Cell::Count(count) => count.to_string(),
        Cell::Hours(seconds) => hours(*seconds),
        Cell::Time(at) => time(*at),
        Cell::LocalTime(at) => at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string(),
        Cell::TimeZone => zone.name().to_owned(),
    }))
}

/// Parses the lines of a sealed report. The columns after [`COLUMNS`] follow from them: reports that were sealed before
/// these columns were added do not have them.
pub fn read_rows(lines: &[u8], has_header: bool) -> Result<Vec<NamedRow>, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().has_headers(has_header).from_reader(lines);
    let row = |line: Result<StringRecord, csv::Error>| {
        let mut line = line?;
        line.truncate(COLUMNS.len());
        line.deserialize(None).map(named)
    };
    reader.records().map(row).collect()
}

type Cells = (String, String, String, DateTime<Utc>, DateTime<Utc>, [i64; 8]);

fn named((domain, app, stream, window_start, window_end, numbers): Cells) -> NamedRow {
    let name = |cell: String| match cell.strip_prefix('\'') {
        Some(guarded) => Some(guarded.to_owned()),
        None => Some(cell).filter(|cell| !cell.is_empty()),
    };
    let [sessions, sessions_started, _, confirmed, estimated, open, on_air_seconds, peak_live_sessions] = numbers;
    let counts = WindowTotals {
        sessions,
        sessions_started,
        confirmed_seconds: confirmed,
        estimated_seconds: estimated,
        open_seconds: open,
        on_air_seconds,
        peak_live_sessions,
    };
    let name = GroupName { domain: name(domain), app: name(app), stream: name(stream) };
    NamedRow { name, window_start, window_end, counts }
}

/// Signs that a cell must not begin with.
const FORMULA_SIGNS: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\''];

/// A text that no spreadsheet interprets as a formula.
pub fn guarded(text: &str) -> String {
    if text.starts_with(FORMULA_SIGNS) { format!("'{text}") } else { text.to_owned() }
}

/// A time in UTC: in seconds, with a fraction only if it has one.
fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Hours from seconds, such as `-1234.50`.
pub fn hours(seconds: i64) -> String {
    hours_in("-", |whole| whole.to_string(), seconds)
}

/// Hours from seconds, rounded half up to two decimals, with this sign of negative ones and the whole hours in this form.
pub fn hours_in(minus: &str, whole: impl FnOnce(u64) -> String, seconds: i64) -> String {
    let hundredths = (seconds.unsigned_abs() + 18) / 36;
    let sign = if seconds < 0 && hundredths > 0 { minus } else { "" };
    format!("{sign}{}.{:02}", whole(hundredths / 100), hundredths % 100)
}

/// A line with the given cells.
pub fn record(cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    match writer.write_record(cells).and_then(|()| writer.into_inner().map_err(|error| error.into_error().into())) {
        Ok(line) => line,
        Err(error) => unreachable!("writing to memory cannot fail: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_formula_is_none_and_can_be_told_from_what_never_was() {
        for (name, cell) in [
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\"\r\n"),
            ("+1", "'+1\r\n"),
            ("-1", "'-1\r\n"),
            ("@sum", "'@sum\r\n"),
            ("＝1", "'＝1\r\n"),
            ("'=1", "''=1\r\n"),
            ("room=1", "room=1\r\n"),
            ("a,b", "\"a,b\"\r\n"),
        ] {
            assert_eq!(String::from_utf8(record([guarded(name)])).expect("text"), cell);
        }
    }
}
