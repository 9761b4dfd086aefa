//! Output of commands: lines for people, and rows as a table, JSON or CSV.
//!
//! After a broken pipe (`| head -1`), [`PrintError::BrokenPipe`] ends the command in an orderly way. `println!` would panic.

use std::fmt::Arguments;
use std::io::{self, BufWriter, ErrorKind, Stdout, Write, stdout};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Map, Value};

use crate::report::csv;

/// Longer tables are printed in parts, to limit memory.
const MAX_TABLE_ROWS: usize = 1_000;

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// For programs: one object with the rows in `data`, as in the API
    Json,
    /// For spreadsheets: a header line, then one line per row
    Csv,
}

/// For commands that print rows.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OutputOptions {
    /// Output format
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
}

/// For commands that print one object.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OneOutputOptions {
    /// Output format: for people or for programs
    #[arg(long, default_value = "table", value_parser = PossibleValuesParser::new(["table", "json"]).map(|word| {
        if word == "json" { Output::Json } else { Output::Table }
    }))]
    pub(super) output: Output,
}

#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// The reader has closed the pipe. Not a failure.
    #[error("output closed (broken pipe)")]
    BrokenPipe,
    #[error("failed to write to standard output")]
    NotWritten(#[source] io::Error),
}

impl From<io::Error> for PrintError {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::NotWritten(error) }
    }
}

/// # Errors
/// Standard output failed.
pub(super) fn print_line(words: Arguments<'_>) -> Result<(), PrintError> {
    let mut to = stdout();
    Ok(writeln!(to, "{words}").and_then(|()| to.flush())?)
}

/// Prints a line, as `println!`, but returns the error.
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::output::print_line(format_args!($($words)*)) };
}
pub(super) use say;

/// A column of tables and CSV: a member of each row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    absent: &'static str,
}

impl Column {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, absent: "" }
    }

    /// Tables show `absent` for null.
    pub(super) const fn or(name: &'static str, absent: &'static str) -> Self {
        Self { name, absent }
    }

    fn text_in_table(&self, row: &Map<String, Value>) -> String {
        match row.get(self.name) {
            None | Some(Value::Null) => self.absent.to_owned(),
            Some(value) => visible(text(value)),
        }
    }
}

/// Escapes characters that change the writing direction, with which a name could imitate another or reverse the line.
fn visible(text: String) -> String {
    let turns = |character: char| matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(turns) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if turns(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Prints rows, streaming if possible.
pub(super) struct Printer {
    output: Output,
    columns: Vec<Column>,
    to: BufWriter<Stdout>,
    printed: usize,
    /// For tables, whose widths depend on all rows.
    rows: Vec<Map<String, Value>>,
}

impl Printer {
    pub(super) fn new(output: Output, columns: impl IntoIterator<Item = Column>) -> Self {
        let columns = columns.into_iter().collect();
        Self { output, columns, to: BufWriter::new(stdout()), printed: 0, rows: Vec::new() }
    }

    /// # Errors
    /// Standard output failed.
    pub(super) fn row(&mut self, row: &Value) -> Result<(), PrintError> {
        match self.output {
            Output::Table => {
                if self.rows.len() == MAX_TABLE_ROWS {
                    self.print_table(None)?;
                }
                self.rows.extend(row.as_object().cloned());
            }
            Output::Csv => {
                self.begin_csv()?;
                let cells: Vec<_> = self.columns.iter().map(|column| csv_cell(row.get(column.name))).collect();
                self.to.write_all(&csv::record(cells))?;
            }
            Output::Json => {
                self.to.write_all(if self.printed == 0 { b"{\"data\":[\n" } else { b",\n" })?;
                write!(self.to, "{row}")?;
            }
        }
        self.printed += 1;
        Ok(())
    }

    fn begin_csv(&mut self) -> io::Result<()> {
        if self.printed == 0 {
            self.to.write_all(&csv::record(self.columns.iter().map(|column| column.name)))?;
        }
        Ok(())
    }

    /// Ends the output. JSON gets `others` as further members; a table gets a row with the `totals` of `others`, then the lines
    /// of `closing`.
    ///
    /// # Errors
    /// Standard output failed.
    pub(super) fn finish(mut self, others: &Value, closing: &[String]) -> Result<(), PrintError> {
        match self.output {
            Output::Table => {
                self.print_table(others.get("totals").and_then(Value::as_object))?;
                for line in closing {
                    writeln!(self.to, "{line}")?;
                }
            }
            Output::Csv => self.begin_csv()?,
            Output::Json => {
                self.to.write_all(if self.printed == 0 { b"{\"data\":[" } else { b"\n" })?;
                self.to.write_all(b"]")?;
                for (name, value) in others.as_object().into_iter().flatten().filter(|(name, _)| *name != "data") {
                    write!(self.to, ",\n{}:{value}", Value::String(name.clone()))?;
                }
                self.to.write_all(b"}\n")?;
            }
        }
        Ok(self.to.flush()?)
    }

    /// Prints the collected rows.
    fn print_table(&mut self, totals: Option<&Map<String, Value>>) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let known = |column: &&Column| rows.iter().chain(totals).any(|row| row.contains_key(column.name));
        let columns: Vec<Column> = self.columns.iter().filter(known).copied().collect();
        let Some(first) = columns.first().map(|column| column.name) else { return Ok(()) };
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(columns.iter().map(|column| column.name.replace('_', " ")));
        for (place, column) in columns.iter().enumerate() {
            if let Some(of_table) = table.column_mut(place) {
                of_table.set_padding((0, 2));
                if rows.iter().chain(totals).any(|row| row.get(column.name).is_some_and(Value::is_number)) {
                    of_table.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        for row in &rows {
            table.add_row(columns.iter().map(|column| column.text_in_table(row)));
        }
        if let Some(totals) = totals {
            let cell = |column: &Column| match totals.get(column.name) {
                None if column.name == first => "total".to_owned(),
                None => String::new(),
                Some(value) => text(value),
            };
            table.add_row(columns.iter().map(cell));
        }
        writeln!(self.to, "{}", table.trim_fmt())
    }
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

/// All values except numbers may come from outside.
fn csv_cell(value: Option<&Value>) -> String {
    let Some(value) = value else { return String::new() };
    if value.is_number() { text(value) } else { csv::guarded(&text(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_turn_the_direction_of_writing_are_visible_in_tables() {
        assert_eq!(visible("room\u{202e}1\u{2066}".to_owned()), "room\\u{202e}1\\u{2066}");
        assert_eq!(visible("مرحبا 名前".to_owned()), "مرحبا 名前");
    }
}
