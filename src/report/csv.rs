//! Reports as CSV (RFC 4180), always with the same columns.
//!
//! Names come from outside, and spreadsheets interpret a cell as a formula if it begins with one of certain signs,
//! including full-width ones. An apostrophe is put before these, and before an apostrophe, so that it can be removed
//! again. All other cells are numbers and times.

use chrono::{DateTime, SecondsFormat, Utc};
use csv::{Terminator, WriterBuilder};

use super::parameters::GroupName;
use super::push_duration::NamedRow;
use super::sweep::WindowTotals;

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

/// The header line.
pub fn header() -> Vec<u8> {
    record(COLUMNS)
}

/// The line of a row. Names that the report does not group by are empty.
pub fn line(row: &NamedRow) -> Vec<u8> {
    let name = |name: &Option<String>| name.as_deref().map(guarded).unwrap_or_default();
    let counts = &row.counts;
    let numbers = [
        counts.sessions,
        counts.sessions_started,
        counts.push_seconds(),
        counts.confirmed_seconds,
        counts.estimated_seconds,
        counts.open_seconds,
        counts.on_air_seconds,
        counts.peak_live_sessions,
    ];
    let cells = [
        name(&row.name.domain),
        name(&row.name.app),
        name(&row.name.stream),
        time(row.window_start),
        time(row.window_end),
    ];
    record(cells.into_iter().chain(numbers.map(|number| number.to_string())))
}

/// Parses lines that [`line()`] wrote.
pub fn read_rows(lines: &[u8], has_header: bool) -> Result<Vec<NamedRow>, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().has_headers(has_header).from_reader(lines);
    reader.deserialize().map(|cells| cells.map(|cells: Cells| named(cells))).collect()
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

/// A time in UTC, in seconds.
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
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
