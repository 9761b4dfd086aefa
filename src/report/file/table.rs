//! A table of typed columns: what a file holds, whatever its format.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::term::Term;

/// A value in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Empty,
    /// Text, perhaps from outside.
    Text(String),
    Count(i64),
    /// Hours, as seconds.
    Hours(i64),
    /// In UTC in CSV, local in workbooks.
    Time(DateTime<Utc>),
    /// Local everywhere.
    LocalTime(DateTime<Utc>),
    /// The time zone of local times.
    TimeZone,
}

impl Cell {
    /// Empty for `None`.
    pub fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.to_owned()))
    }

    pub fn time(at: Option<DateTime<Utc>>) -> Self {
        at.map_or(Self::Empty, Self::Time)
    }

    pub fn local_time(at: Option<DateTime<Utc>>) -> Self {
        at.map_or(Self::Empty, Self::LocalTime)
    }

    pub fn id(id: Uuid) -> Self {
        Self::Text(id.to_string())
    }
}

/// A column of rows of type `R`.
#[derive(Debug)]
pub struct Column<R> {
    pub term: Term,
    cell: fn(&R) -> Cell,
}

impl<R> Clone for Column<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Column<R> {}

impl<R> Column<R> {
    pub const fn new(term: Term, cell: fn(&R) -> Cell) -> Self {
        Self { term, cell }
    }
}

pub fn cells<R>(columns: &[Column<R>], row: &R) -> Vec<Cell> {
    columns.iter().map(|column| (column.cell)(row)).collect()
}

pub fn terms<R>(columns: &[Column<R>]) -> Vec<Term> {
    columns.iter().map(|column| column.term).collect()
}

/// The cells of a total that has only these sums.
pub fn total_of<R>(columns: &[Column<R>], sums: &[(Term, Cell)]) -> Vec<Cell> {
    let sum = |term| sums.iter().find(|(summed, _)| *summed == term).map_or(Cell::Empty, |(_, cell)| cell.clone());
    columns.iter().map(|column| sum(column.term)).collect()
}

/// A line of a file.
#[derive(Debug)]
pub enum Line {
    Row(Vec<Cell>),
    /// The last line, in workbooks only.
    Total(Vec<Cell>),
}

/// The words of a workbook, in the language of its reader.
#[derive(Debug, Clone)]
pub struct Wording {
    /// The name of the first sheet: at most 31 characters.
    pub title: String,
    /// The title and the meaning of a term.
    pub term: fn(Term) -> (String, String),
    pub total: String,
    /// The name of the second sheet, and its columns.
    pub about: String,
    pub name: String,
    pub value: String,
    pub meaning: String,
}

impl Wording {
    pub fn english(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            term: |term| (term.title(), term.meaning().to_owned()),
            total: "Total".to_owned(),
            about: "About".to_owned(),
            name: "Name".to_owned(),
            value: "Value".to_owned(),
            meaning: "Meaning".to_owned(),
        }
    }
}

/// What a file holds besides its rows.
#[derive(Debug, Clone)]
pub struct Table {
    pub columns: Vec<Term>,
    pub zone: Tz,
    pub as_of: DateTime<Utc>,
    /// The parameters, for the second sheet. `as_of` is added to them.
    pub about: Vec<(Term, Cell)>,
    pub wording: Wording,
}
