//! Workbooks for Excel: a sheet with the rows and their total, and a sheet that explains them.
//!
//! Rows go to a temporary file at once, in the folder that `TMPDIR` names, which has no name and disappears with the
//! [`Workbook`], so memory does not depend on their number. Texts are text cells, whatever they look like: no spreadsheet
//! evaluates them. The same table gives the same bytes: the time of creation is `as_of`.

use std::borrow::Cow;
use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::table::{Cell, Table};
use super::term::{Kind, Term};
use crate::report::ReportError;

/// The rows of a sheet, without the header and the total.
const MAX_ROWS: u32 = 1_048_576 - 2;

/// The longest text of a cell, in UTF-16 units. A longer one is cut, and ends in `…`. Names are shorter, but not all `user_args`.
const MAX_TEXT: usize = 32_767;

/// How cells are shown.
#[derive(Debug, Clone)]
struct Formats {
    text: Format,
    count: Format,
    hours: Format,
    time: Format,
}

impl Formats {
    fn new(base: &Format) -> Self {
        let shown = |format| base.clone().set_num_format(format);
        // Text remains text even if somebody edits it.
        Self { text: shown("@"), count: shown("#,##0"), hours: shown("#,##0.00"), time: shown("yyyy-mm-dd hh:mm:ss") }
    }

    fn of(&self, kind: Kind) -> &Format {
        match kind {
            Kind::Text => &self.text,
            Kind::Count => &self.count,
            Kind::Hours => &self.hours,
            Kind::Time => &self.time,
        }
    }
}

/// A workbook that is being written, row by row.
pub struct Book {
    workbook: Workbook,
    rows: Worksheet,
    about: Worksheet,
    next_row: u32,
    zone: Tz,
    total: String,
    bold: Formats,
}

impl Book {
    /// # Errors
    /// A temporary file cannot be created.
    pub fn begin(table: &Table) -> Result<Self, XlsxError> {
        let mut workbook = Workbook::new();
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&excel_time(table.as_of, Tz::UTC)?));
        let mut rows = workbook.new_worksheet_with_constant_memory()?;
        rows.set_name(&table.wording.title)?.set_freeze_panes(1, 0)?;
        let plain = Formats::new(&Format::new());
        let header = Format::new().set_bold().set_text_wrap();
        for (column, term) in (0..).zip(&table.columns) {
            rows.set_column_width(column, width(*term))?.set_column_format(column, plain.of(term.kind()))?;
            rows.write_string_with_format(0, column, title(table, *term), &header)?;
        }
        let about = explain(&mut workbook, table, &plain, &header)?;
        let (total, bold) = (table.wording.total.clone(), Formats::new(&Format::new().set_bold()));
        Ok(Self { workbook, rows, about, next_row: 1, zone: table.zone, total, bold })
    }

    /// # Errors
    /// There are more rows than a sheet holds.
    pub fn row(&mut self, cells: &[Cell]) -> Result<(), ReportError> {
        if self.next_row > MAX_ROWS {
            return Err(ReportError::TooManyRows(MAX_ROWS));
        }
        for (column, cell) in (0..).zip(cells) {
            write(&mut self.rows, (self.next_row, column), cell, None, self.zone)?;
        }
        self.next_row += 1;
        Ok(())
    }

    /// Writes the total below the rows. Its first cell is the word for it.
    pub fn total(&mut self, cells: &[Cell]) -> Result<(), XlsxError> {
        let total = Cell::Text(self.total.clone());
        for (column, cell) in (0..).zip(std::iter::once(&total).chain(cells.iter().skip(1))) {
            write(&mut self.rows, (self.next_row, column), cell, Some(&self.bold), self.zone)?;
        }
        Ok(())
    }

    /// Compresses the workbook into `to`. Blocks.
    ///
    /// # Errors
    /// `to` fails, or a temporary file.
    pub fn save(mut self, to: impl Write + Send) -> Result<(), XlsxError> {
        self.workbook.push_worksheet(self.rows);
        self.workbook.push_worksheet(self.about);
        self.workbook.save_to_writer(to)
    }
}

/// The second sheet: the parameters, and what the columns mean.
fn explain(workbook: &mut Workbook, table: &Table, plain: &Formats, header: &Format) -> Result<Worksheet, XlsxError> {
    let mut sheet = workbook.new_worksheet_with_constant_memory()?;
    sheet.set_name(&table.wording.about)?.set_freeze_panes(1, 0)?;
    let columns = [(&table.wording.name, 30), (&table.wording.value, 40), (&table.wording.meaning, 100)];
    for (column, (word, width)) in (0..).zip(columns) {
        sheet.set_column_width(column, width)?.write_string_with_format(0, column, word, header)?;
    }
    let known = [
        (Term::TimeZone, Cell::TimeZone),
        (Term::AsOfLocal, Cell::Time(table.as_of)),
        (Term::AsOf, Cell::Text(table.as_of.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
    ];
    let parameters = table.about.iter().cloned().chain(known);
    let columns = table.columns.iter().map(|term| (*term, Cell::Empty));
    for (row, (term, value)) in (1..).zip(parameters.chain(columns)) {
        let (_, meaning) = (table.wording.term)(term);
        for (column, cell) in [(0, Cell::Text(title(table, term))), (1, value), (2, Cell::Text(meaning))] {
            write(&mut sheet, (row, column), &cell, Some(plain), table.zone)?;
        }
    }
    Ok(sheet)
}

/// The title of a column, with the time zone if it has times.
fn title(table: &Table, term: Term) -> String {
    let (title, _) = (table.wording.term)(term);
    match term.kind() {
        Kind::Time => format!("{title} ({})", table.zone.name()),
        Kind::Text | Kind::Count | Kind::Hours => title,
    }
}

fn width(term: Term) -> u8 {
    match term.kind() {
        Kind::Text => 28,
        Kind::Count | Kind::Hours => 14,
        Kind::Time => 22,
    }
}

/// Writes a cell; without formats, it gets that of its column.
fn write(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    cell: &Cell,
    formats: Option<&Formats>,
    zone: Tz,
) -> Result<(), XlsxError> {
    let number = |sheet: &mut Worksheet, number: f64, kind| match formats {
        Some(formats) => sheet.write_number_with_format(row, column, number, formats.of(kind)).map(|_| ()),
        None => sheet.write_number(row, column, number).map(|_| ()),
    };
    let text = |sheet: &mut Worksheet, text: &str| match formats {
        Some(formats) => sheet.write_string_with_format(row, column, text, &formats.text).map(|_| ()),
        None => sheet.write_string(row, column, text).map(|_| ()),
    };
    match cell {
        Cell::Empty => Ok(()),
        Cell::Text(value) => text(sheet, &cut(value)),
        Cell::TimeZone => text(sheet, zone.name()),
        Cell::Count(count) => number(sheet, as_number(*count), Kind::Count),
        Cell::Hours(seconds) => number(sheet, as_number(*seconds) / 3_600.0, Kind::Hours),
        Cell::Time(at) | Cell::LocalTime(at) => number(sheet, excel_time(*at, zone)?.to_excel(), Kind::Time),
    }
}

/// All numbers of a workbook are floating-point numbers, exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "no sum of seconds is that large")]
fn as_number(number: i64) -> f64 {
    number as f64
}

fn excel_time(at: DateTime<Utc>, zone: Tz) -> Result<ExcelDateTime, XlsxError> {
    ExcelDateTime::from_timestamp(at.with_timezone(&zone).naive_local().and_utc().timestamp())
}

/// A text that fits into a cell.
fn cut(text: &str) -> Cow<'_, str> {
    // No character has more UTF-16 units than bytes.
    if text.len() <= MAX_TEXT || text.encode_utf16().count() <= MAX_TEXT {
        return text.into();
    }
    let mut units = 0;
    let fits = |letter: &char| {
        units += letter.len_utf16();
        units < MAX_TEXT
    };
    text.chars().take_while(fits).chain(['…']).collect::<String>().into()
}
