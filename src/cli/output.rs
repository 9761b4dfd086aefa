//! Output of commands: lines for people, and rows as a table, JSON or CSV.
//!
//! After a broken pipe (`| head -1`), [`PrintError::BrokenPipe`] ends the command in an orderly way. `println!` would panic.

use std::fmt::Arguments;
use std::io::{self, BufWriter, ErrorKind, Stdout, Write, stdout};

use chrono_tz::Tz;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::table::{self, Column, Row};
use super::times::ZoneOption;
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
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    /// Print only the IDs, one per line
    #[arg(long, short, conflicts_with = "output")]
    quiet: bool,
    #[command(flatten)]
    zone: ZoneOption,
}

impl OutputOptions {
    pub(super) fn zone(self) -> Tz {
        self.zone.zone()
    }

    pub(super) fn set_default_zone(&mut self, zone: Tz) {
        self.zone.set_default(zone);
    }

    pub(super) fn is_table(self) -> bool {
        self.output == Output::Table && !self.quiet
    }

    pub(super) fn format(self) -> Format {
        Format { output: self.output, quiet: self.quiet, zone: self.zone() }
    }
}

/// How rows are printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) output: Output,
    /// Only the column that identifies a row.
    pub(super) quiet: bool,
    /// The time zone of tables.
    pub(super) zone: Tz,
}

/// For commands that print one object.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OneOutputOptions {
    /// Output format: for people or for programs
    #[arg(long, short, default_value = "table", value_parser = PossibleValuesParser::new(["table", "json"]).map(|word| {
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

/// Writes bytes as they are.
///
/// # Errors
/// Standard output failed.
pub(super) fn write_bytes(bytes: &[u8]) -> Result<(), PrintError> {
    let mut to = stdout();
    Ok(to.write_all(bytes).and_then(|()| to.flush())?)
}

/// Prints an object as indented JSON.
///
/// # Errors
/// Standard output failed.
pub(super) fn print_json(object: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(say!("{}", serde_json::to_string_pretty(object)?)?)
}

/// Prints rows, streaming if possible.
pub(super) struct Printer {
    format: Format,
    columns: Vec<Column>,
    to: BufWriter<Stdout>,
    printed: usize,
    /// For tables, whose widths depend on all rows.
    rows: Vec<Row>,
}

impl Printer {
    pub(super) fn new(format: Format, columns: impl IntoIterator<Item = Column>) -> Self {
        let columns = columns.into_iter().collect();
        Self { format, columns, to: BufWriter::new(stdout()), printed: 0, rows: Vec::new() }
    }

    pub(super) fn zone(&self) -> Tz {
        self.format.zone
    }

    /// # Errors
    /// Standard output failed.
    pub(super) fn row(&mut self, row: &Value) -> Result<(), PrintError> {
        let Some(row) = row.as_object() else { return Ok(()) };
        self.printed += 1;
        if self.format.quiet {
            let id = self.columns.iter().find(|column| column.is_id()).or(self.columns.first());
            let id = id.and_then(|column| column.value(row));
            let id = id.map(table::text).unwrap_or_default();
            return Ok(writeln!(self.to, "{}", table::escape(&id))?);
        }
        match self.format.output {
            Output::Table => {
                if self.rows.len() == MAX_TABLE_ROWS {
                    self.print_table(None)?;
                }
                self.rows.push(row.clone());
            }
            Output::Csv => {
                if self.printed == 1 {
                    self.print_csv_header()?;
                }
                let cells: Vec<_> = self.columns.iter().map(|column| csv_cell(column.value(row))).collect();
                self.to.write_all(&csv::record(cells))?;
            }
            Output::Json => {
                self.to.write_all(if self.printed == 1 { b"{\"data\":[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut self.to, row).map_err(io::Error::from)?;
            }
        }
        Ok(())
    }

    /// Makes printed rows visible at once, for lists without an end.
    ///
    /// # Errors
    /// Standard output failed.
    pub(super) fn flush(&mut self) -> Result<(), PrintError> {
        Ok(self.to.flush()?)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.printed == 0
    }

    fn print_csv_header(&mut self) -> io::Result<()> {
        self.to.write_all(&csv::record(self.columns.iter().map(|column| column.name.replace('/', "_"))))
    }

    /// Ends the output. JSON gets `others` as further members; a table gets a row with the `totals` of `others`, then the lines
    /// of `closing`.
    ///
    /// # Errors
    /// Standard output failed.
    pub(super) fn finish(mut self, others: &Value, closing: &[String]) -> Result<(), PrintError> {
        if self.format.quiet {
            return Ok(self.to.flush()?);
        }
        match self.format.output {
            Output::Table => {
                self.print_table(others.get("totals").and_then(Value::as_object))?;
                for line in closing {
                    writeln!(self.to, "{line}")?;
                }
            }
            Output::Csv if self.printed == 0 => self.print_csv_header()?,
            Output::Csv => {}
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
    fn print_table(&mut self, totals: Option<&Row>) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(self.to, "{}", table::render(&self.columns, &rows, totals, self.format.zone))
    }
}

/// All values except numbers may come from outside.
fn csv_cell(value: Option<&Value>) -> String {
    let Some(value) = value else { return String::new() };
    if value.is_number() { table::text(value) } else { csv::guarded(&table::text(value)) }
}
