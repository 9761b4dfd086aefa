//! Rows as they are printed: a table, CSV or JSON.

use std::io::{BufWriter, Stdout, Write, stdout};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Map, Value};

use super::Output;
use crate::report::csv;

const POINT_COLUMNS: [&str; 3] = ["at", "live_sessions", "live_streams"];

/// Columns that hold names and times: the others hold numbers.
const TEXTS: [&str; 6] = ["domain", "app", "stream", "window_start", "window_end", "at"];

/// Prints the rows of a report, as they come where that is possible.
pub(super) struct Printer {
    output: Output,
    concurrency: bool,
    to: BufWriter<Stdout>,
    printed: usize,
    /// Of a table, whose columns are as wide as their widest cells.
    rows: Vec<Map<String, Value>>,
}

impl Printer {
    pub(super) fn new(output: Output, concurrency: bool) -> Self {
        Self { output, concurrency, to: BufWriter::new(stdout()), printed: 0, rows: Vec::new() }
    }

    /// Whether the report comes in pages.
    pub(super) fn has_pages(&self) -> bool {
        !self.concurrency
    }

    fn columns(&self) -> &'static [&'static str] {
        if self.concurrency { &POINT_COLUMNS } else { &csv::COLUMNS }
    }

    /// Prints a row.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn row(&mut self, row: &Value) -> anyhow::Result<()> {
        match self.output {
            Output::Table => self.rows.extend(row.as_object().cloned()),
            Output::Csv => {
                self.begin_csv()?;
                let cells: Vec<_> = self.columns().iter().map(|column| csv_cell(column, row.get(*column))).collect();
                self.to.write_all(&csv::record(cells))?;
            }
            Output::Json => {
                self.to.write_all(if self.printed == 0 { b"{\"data\":[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut self.to, row)?;
            }
        }
        self.printed += 1;
        Ok(())
    }

    fn begin_csv(&mut self) -> anyhow::Result<()> {
        if self.printed == 0 {
            self.to.write_all(&csv::record(self.columns()))?;
        }
        Ok(())
    }

    /// Prints what a report has beside its rows.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn finish(mut self, report: &Value) -> anyhow::Result<()> {
        match self.output {
            Output::Table => self.print_table(report)?,
            Output::Csv => self.begin_csv()?,
            Output::Json => {
                self.to.write_all(if self.printed == 0 { b"{\"data\":[" } else { b"\n" })?;
                self.to.write_all(b"]")?;
                for (name, value) in report.as_object().into_iter().flatten().filter(|(name, _)| *name != "data") {
                    write!(self.to, ",\n{}:{value}", Value::String(name.clone()))?;
                }
                self.to.write_all(b"}\n")?;
            }
        }
        Ok(self.to.flush()?)
    }

    fn print_table(&mut self, report: &Value) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let totals = report.get("totals").and_then(Value::as_object);
        let known = |column: &&&str| rows.iter().chain(totals).any(|row| row.contains_key(**column));
        let columns: Vec<&str> = self.columns().iter().filter(known).copied().collect();
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(columns.iter().map(|column| column.replace('_', " ")));
        for (place, column) in columns.iter().enumerate() {
            if let Some(of_table) = table.column_mut(place) {
                of_table.set_padding((0, 2));
                if !TEXTS.contains(column) {
                    of_table.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        for row in &rows {
            table.add_row(columns.iter().map(|column| text(row.get(*column))));
        }
        if let Some(totals) = totals {
            let first = columns.first().copied().unwrap_or_default();
            let cell = |column: &&str| if *column == first { "total".to_owned() } else { text(totals.get(*column)) };
            table.add_row(columns.iter().map(cell));
        }
        writeln!(self.to, "{}", table.trim_fmt())?;
        if let Some(peak) = report.get("peak").and_then(Value::as_object) {
            let [at, sessions, streams] = POINT_COLUMNS.map(|column| text(peak.get(column)));
            writeln!(self.to, "peak: {sessions} sessions of {streams} streams at {at}")?;
        }
        writeln!(self.to, "as of {}", text(report.get("as_of")))?;
        Ok(())
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn csv_cell(column: &str, value: Option<&Value>) -> String {
    let text = text(value);
    if TEXTS.contains(&column) { csv::guarded(&text) } else { text }
}
