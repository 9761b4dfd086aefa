//! Files of reports and lists.
//!
//! A file is a [`table`]: typed columns, whose names are [`term`]s, and lines that come one by one. CSV for programs
//! ([`csv`](mod@super::csv)) and workbooks for people ([`xlsx`](mod@xlsx)) are written from it, on the low-priority thread, in bounded memory.

pub mod concurrency;
pub mod counted;
pub mod push_duration;
pub mod table;
pub mod term;
mod xlsx;

use std::io::{self, Write};
use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use rust_xlsxwriter::XlsxError;

use super::low_priority_runtime::{self, Output};
use super::{ReportError, csv};
use table::{Line, Table};

/// Approximate size of a chunk in bytes.
const CHUNK: usize = 32 * 1024;

/// Streams lines as CSV while they are computed.
pub fn csv<Lines: Stream<Item = Result<Line, ReportError>> + Send + 'static>(
    table: &Table,
    lines: Lines,
    byte_order_mark: bool,
) -> impl Stream<Item = Result<Bytes, ReportError>> + use<Lines> {
    let zone = table.zone;
    let mut begin = if byte_order_mark { csv::BYTE_ORDER_MARK.as_bytes().to_vec() } else { Vec::new() };
    begin.extend(csv::header(&table.columns));
    let state = (begin, Some(Box::pin(lines)));
    low_priority_runtime::stream(stream::try_unfold(state, move |(mut text, lines)| async move {
        let Some(mut lines) = lines else { return Ok(None) };
        while let Some(line) = lines.try_next().await? {
            match line {
                Line::Row(cells) => text.extend(csv::line(&cells, zone)),
                Line::Total(_) => {}
            }
            if text.len() >= CHUNK {
                return Ok(Some((Bytes::from(text), (Vec::new(), Some(lines)))));
            }
        }
        Ok(Some((Bytes::from(text), (Vec::new(), None))))
    }))
}

/// Streams a workbook. Its first bytes come when all of its lines are known, so more lines than a sheet holds are an error
/// before them.
pub fn xlsx(
    table: Table,
    lines: impl Stream<Item = Result<Line, ReportError>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, ReportError>> {
    low_priority_runtime::produce(|output| async move {
        match fill(&table, lines, &output).await? {
            Some(book) => {
                let mut to = Chunks { output, chunk: Vec::new() };
                low_priority_runtime::block(move || {
                    book.save(&mut to)?;
                    Ok(to.flush().map_err(XlsxError::from)?)
                })
                .await
            }
            None => Ok(()),
        }
    })
}

/// A workbook with these lines; `None` if nobody wants it any longer.
async fn fill(
    table: &Table,
    lines: impl Stream<Item = Result<Line, ReportError>>,
    output: &Output<Bytes>,
) -> Result<Option<xlsx::Book>, ReportError> {
    let mut lines = pin!(lines);
    let mut book = xlsx::Book::begin(table)?;
    while let Some(line) = lines.try_next().await? {
        match line {
            Line::Row(cells) => book.row(&cells)?,
            Line::Total(cells) => book.total(&cells)?,
        }
        if output.is_closed() {
            return Ok(None);
        }
    }
    Ok(Some(book))
}

/// Sends what is written, in chunks. Blocks.
struct Chunks {
    output: Output<Bytes>,
    chunk: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.chunk));
        self.output.blocking_send(Ok(Some(chunk))).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::table::{Cell, Wording};
    use super::term::Term;
    use super::*;

    fn table() -> Table {
        let wording = Wording::english("Streams");
        let as_of = "2026-11-30T00:00:00Z".parse().unwrap();
        Table { columns: vec![Term::Stream, Term::PushHours], zone: Tz::UTC, as_of, about: Vec::new(), wording }
    }

    fn row(number: i64) -> Line {
        Line::Row(vec![Cell::Text("=1+1".to_owned()), Cell::Hours(number)])
    }

    fn rows(count: i64) -> impl Stream<Item = Result<Line, ReportError>> + Send {
        stream::iter((0..count).map(|number| Ok(row(number))))
    }

    #[tokio::test]
    async fn a_workbook_is_the_same_every_time() {
        let write = async || xlsx(table(), rows(1_000)).try_collect::<Vec<Bytes>>().await.unwrap().concat();
        assert!(write().await == write().await);
    }

    #[tokio::test]
    async fn more_rows_than_a_sheet_holds_are_an_error_before_the_first_bytes() {
        let mut bytes = Box::pin(xlsx(table(), rows(1_048_575)));
        assert!(matches!(bytes.try_next().await, Err(ReportError::TooManyRows(1_048_574))));
    }

    #[tokio::test]
    async fn lines_that_fail_make_no_file() {
        let lines = || stream::iter([Ok(row(1)), Err(ReportError::NotFolded)]);
        assert!(matches!(Box::pin(xlsx(table(), lines())).try_next().await, Err(ReportError::NotFolded)));
        assert!(matches!(Box::pin(csv(&table(), lines(), false)).try_next().await, Err(ReportError::NotFolded)));
    }
}
