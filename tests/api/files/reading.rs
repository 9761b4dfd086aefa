//! Reads files as programs do that others wrote.

use std::collections::HashMap;
use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use reqwest::Response;
use serde_json::Value;

use crate::helpers::{ADMIN_TOKEN, TestApp};

pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

pub async fn ask(app: &TestApp, path: &str, token: &str) -> Response {
    app.client.get(format!("{}{path}", app.address)).bearer_auth(token).send().await.unwrap()
}

/// A file that the administrator gets, and its name.
pub async fn download(app: &TestApp, path: &str) -> (String, Vec<u8>) {
    let answer = ask(app, path, ADMIN_TOKEN).await;
    assert_eq!(answer.status(), 200, "{path}");
    let disposition = answer.headers()["content-disposition"].to_str().unwrap();
    let name = disposition.strip_prefix("attachment; filename=\"").unwrap().trim_end_matches('"').to_owned();
    (name, answer.bytes().await.unwrap().to_vec())
}

/// A sheet of a workbook, row by row.
pub fn sheet(file: &[u8], name: &str) -> Vec<Vec<Data>> {
    let mut book = Xlsx::new(Cursor::new(file)).unwrap();
    book.worksheet_range(name).unwrap().rows().map(<[Data]>::to_vec).collect()
}

/// The values of the second sheet, by their names.
pub fn about(file: &[u8]) -> HashMap<String, Data> {
    let rows = sheet(file, "About").into_iter();
    rows.map(|row| (row[0].to_string(), row[1].clone())).filter(|(_, value)| *value != Data::Empty).collect()
}

pub fn text(text: &str) -> Data {
    Data::String(text.to_owned())
}

/// A date cell, as it is shown.
pub fn shown(cell: &Data) -> String {
    let Data::DateTime(date) = cell else { panic!("{cell:?} is no date") };
    let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The rows of a CSV file, by the names of their columns.
pub fn csv_rows(file: &[u8]) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(file);
    reader.deserialize().map(Result::unwrap).collect()
}

/// Asserts that CSV has all that JSON has.
#[track_caller]
pub fn assert_same_rows(file: &[u8], rows: &[Value]) {
    let lines = csv_rows(file);
    assert_eq!(lines.len(), rows.len());
    for (line, row) in lines.iter().zip(rows) {
        for (name, value) in row.as_object().unwrap() {
            let cell = &line[name];
            let cell = cell.strip_prefix('\'').unwrap_or(cell);
            assert_eq!(cell, cell_of(value), "{name} of {row}");
        }
    }
}

fn cell_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell_of).collect::<Vec<_>>().join(","),
        // The source of a rendition.
        Value::Object(members) => cell_of(&members["stream"]),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
