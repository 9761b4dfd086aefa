//! Tables for people: columns of aligned text, local times, durations and hours; colors only for words of a status.
//!
//! Everything in a cell may come from outside. Characters that act on a terminal are escaped.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use console::{Alignment, Style, measure_text_width, pad_str};
use serde_json::{Map, Value};

use crate::report::csv::hours;

pub(super) type Row = Map<String, Value>;

const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// Space between columns.
const GAP: &str = "  ";

/// How a table shows the values of a column. JSON and CSV have them as the API does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// A word such as `live`, in a color.
    Status,
    /// A truth, as the name of the column or nothing.
    Flag,
    /// A time in the zone of the table, in this format of chrono.
    Time(&'static str),
    /// A bound of a report's period, by the report's own clock.
    Bound,
    /// Seconds, as `1:02:03`.
    Duration,
    /// Seconds, as hours with two decimals.
    Hours,
    /// Only for CSV.
    Hidden,
}

/// A column of tables and CSV: a member of each row, or a member of a member (`parameters/from`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    title: &'static str,
    absent: &'static str,
    kind: Kind,
    is_id: bool,
}

impl Column {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, title: "", absent: "", kind: Kind::Text, is_id: false }
    }

    /// What identifies a row: `--quiet` prints only this.
    pub(super) const fn id(name: &'static str) -> Self {
        Self { is_id: true, ..Self::new(name) }
    }

    pub(super) fn is_id(&self) -> bool {
        self.is_id
    }

    pub(super) const fn status(name: &'static str) -> Self {
        Self { kind: Kind::Status, ..Self::new(name) }
    }

    /// A truth, which tables show as its name, and only if it is true.
    pub(super) const fn flag(name: &'static str) -> Self {
        Self { kind: Kind::Flag, ..Self::new(name) }
    }

    pub(super) const fn time(name: &'static str) -> Self {
        Self::time_as(name, TIME)
    }

    /// A time in this format of chrono.
    pub(super) const fn time_as(name: &'static str, format: &'static str) -> Self {
        Self { kind: Kind::Time(format), ..Self::new(name) }
    }

    /// A bound of the period of a report, whose zone is in `parameters/time_zone`.
    pub(super) const fn bound(name: &'static str) -> Self {
        Self { kind: Kind::Bound, ..Self::new(name) }
    }

    pub(super) const fn duration(name: &'static str) -> Self {
        Self { kind: Kind::Duration, ..Self::new(name) }
    }

    pub(super) const fn hours(name: &'static str) -> Self {
        Self { kind: Kind::Hours, ..Self::new(name) }
    }

    /// A column of CSV that tables leave out.
    pub(super) const fn hidden(name: &'static str) -> Self {
        Self { kind: Kind::Hidden, ..Self::new(name) }
    }

    /// Tables show `absent` for null.
    pub(super) const fn or(self, absent: &'static str) -> Self {
        Self { absent, ..self }
    }

    /// The header of tables. Default: the name.
    pub(super) const fn titled(self, title: &'static str) -> Self {
        Self { title, ..self }
    }

    pub(super) fn value<'a>(&self, row: &'a Row) -> Option<&'a Value> {
        let mut parts = self.name.split('/');
        let first = row.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    fn is_time(&self) -> bool {
        matches!(self.kind, Kind::Time(_))
    }

    fn header(&self) -> String {
        if !self.title.is_empty() {
            return self.title.to_owned();
        }
        let name = self.name.rsplit('/').next().unwrap_or(self.name).replace('_', " ");
        let (end, replacement) = match self.kind {
            Kind::Time(_) => (" at", ""),
            Kind::Duration => (" seconds", ""),
            Kind::Hours => (" seconds", " hours"),
            Kind::Text | Kind::Status | Kind::Flag | Kind::Bound | Kind::Hidden => return name,
        };
        name.strip_suffix(end).map_or_else(|| name.clone(), |stem| format!("{stem}{replacement}"))
    }

    /// The text of a cell, escaped; `absent` for null.
    pub(super) fn text(&self, row: &Row, zone: Tz) -> String {
        let Some(value) = self.value(row).filter(|value| !value.is_null()) else { return self.absent.to_owned() };
        let shown = match self.kind {
            Kind::Time(format) => local_time(value, zone, format),
            Kind::Bound => local_time(value, zone_of_report(row), TIME).map(|time| time.replace(" 00:00:00", "")),
            Kind::Duration => value.as_i64().map(clock),
            Kind::Hours => value.as_i64().map(hours),
            Kind::Flag => Some(if *value == Value::Bool(true) { self.header() } else { String::new() }),
            Kind::Text | Kind::Status | Kind::Hidden => None,
        };
        shown.unwrap_or_else(|| escape(&text(value)))
    }

    fn styled(&self, cell: &str) -> String {
        match self.kind {
            Kind::Status | Kind::Flag => style_of(cell).apply_to(cell).to_string(),
            Kind::Text | Kind::Time(_) | Kind::Bound | Kind::Duration | Kind::Hours | Kind::Hidden => cell.to_owned(),
        }
    }
}

/// The color of a status; `console` leaves it out in a pipe and if `NO_COLOR` is set.
fn style_of(status: &str) -> Style {
    match status {
        "live" | "ready" | "enabled" | "delivered" | "sealed" | "accepted" | "released" => Style::new().green(),
        "unconfirmed" | "quarantined" | "waiting" | "sealing" | "disabled" => Style::new().yellow(),
        "rejected" | "not ready" | "dead" | "failed" => Style::new().red(),
        _ => Style::new(),
    }
}

/// A table of these rows, with a row of totals if there is one. Columns without any content are left out.
pub(super) fn render(columns: &[Column], rows: &[Row], totals: Option<&Row>, zone: Tz) -> String {
    let has_content =
        |column: &&Column| column.kind != Kind::Hidden && rows.iter().any(|row| !column.text(row, zone).is_empty());
    let columns: Vec<&Column> = columns.iter().filter(has_content).collect();
    let first_time = columns.iter().position(|column| column.is_time());
    let texts: Vec<Vec<String>> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let header = column.header();
            let header = if first_time == Some(place) { format!("{header}, {zone}") } else { header };
            let cells = rows.iter().map(|row| column.text(row, zone));
            let total = totals.map(|totals| match column.value(totals) {
                None if place == 0 => "total".to_owned(),
                None => String::new(),
                Some(_) => column.text(totals, zone),
            });
            [header].into_iter().chain(cells).chain(total).collect()
        })
        .collect();
    let mut lines = vec![String::new(); 1 + rows.len() + usize::from(totals.is_some())];
    for (column, cells) in columns.iter().zip(&texts) {
        let width = cells.iter().map(|cell| measure_text_width(cell)).max().unwrap_or_default();
        let is_right = rows.iter().chain(totals).any(|row| column.value(row).is_some_and(Value::is_number));
        let alignment = if is_right { Alignment::Right } else { Alignment::Left };
        for (line, cell) in lines.iter_mut().zip(cells) {
            let _ = write!(line, "{}{GAP}", pad_str(&column.styled(cell), width, alignment, None));
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// One line for each column that has a value, with a label.
pub(super) fn render_one(columns: &[Column], row: &Row, zone: Tz) -> String {
    let lines: Vec<(String, String)> = columns
        .iter()
        .filter(|column| column.kind != Kind::Hidden)
        .map(|column| (column.header(), column.styled(&column.text(row, zone))))
        .filter(|(_, text)| !text.is_empty())
        .collect();
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    lines.iter().map(|(label, text)| format!("{label:width$}{GAP}{text}")).collect::<Vec<_>>().join("\n")
}

/// A value as a cell: an array separated by commas, an object by its first member, the ID.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(members) => members.values().next().map(text).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// The zone of a report, as its parameters have it.
pub(super) fn zone_of_report(report: &Row) -> Tz {
    let zone = report.get("parameters").and_then(|parameters| parameters.get("time_zone")?.as_str()?.parse().ok());
    zone.unwrap_or(Tz::UTC)
}

fn local_time(value: &Value, zone: Tz, format: &str) -> Option<String> {
    let time: DateTime<Utc> = value.as_str()?.parse().ok()?;
    Some(time.with_timezone(&zone).format(format).to_string())
}

pub(super) fn local_seconds(value: &Value, zone: Tz) -> String {
    local_time(value, zone, TIME).unwrap_or_default()
}

pub(super) fn clock(seconds: i64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Escapes control characters, and characters that change the writing direction, with which a name could imitate another or
/// reverse the line.
pub(super) fn escape(text: &str) -> String {
    let acts = |character: char| {
        character.is_control()
            || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: Value) -> Row {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn characters_that_act_on_a_terminal_are_visible() {
        assert_eq!(escape("room\u{202e}1\u{2066}\u{1b}[2J\n"), "room\\u{202e}1\\u{2066}\\u{1b}[2J\\n");
        assert_eq!(escape("مرحبا 名前"), "مرحبا 名前");
    }

    #[test]
    fn times_are_local_with_the_zone_in_the_header_and_empty_columns_are_left_out() {
        let columns = [
            Column::new("stream"),
            Column::time("started_at"),
            Column::time("ended_at"),
            Column::duration("n_seconds"),
        ];
        let rows = [
            row(
                json!({ "stream": "名前", "started_at": "2026-11-22T12:21:53.5Z", "ended_at": null, "n_seconds": 3661 }),
            ),
            row(json!({ "stream": "b", "started_at": "2026-11-22T23:00:00Z", "ended_at": null, "n_seconds": 5 })),
        ];
        let expected = "\
stream  started, Asia/Shanghai        n
名前    2026-11-22 20:21:53     1:01:01
b       2026-11-23 07:00:00     0:00:05";
        assert_eq!(render(&columns, &rows, None, Tz::Asia__Shanghai), expected);
    }

    #[test]
    fn hours_are_rounded_to_hundredths() {
        for (seconds, expected) in [
            (0, "0.00"),
            (17, "0.00"),
            (18, "0.01"),
            (45, "0.01"),
            (3_600, "1.00"),
            (44_407_844, "12335.51"),
            (-54, "-0.02"),
        ] {
            assert_eq!(hours(seconds), expected);
        }
    }

    #[test]
    fn members_of_members_are_columns() {
        let column = Column::new("parameters/time_zone");
        let row = row(json!({ "parameters": { "time_zone": "UTC" } }));
        assert_eq!(render(&[column], &[row], None, Tz::UTC), "time zone\nUTC");
    }
}
