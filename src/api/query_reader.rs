//! Strict parsing of query strings: one response names every unknown, repeated or invalid parameter.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::api::cursor_cipher::CursorCipher;
use crate::api::problem::{ApiError, InvalidParameter};
use crate::model::filter::Filter;
use crate::model::parameter::{Parameter, Parameters};

/// Maximum length of a parameter in characters: that of the longest name.
pub const MAX_TEXT: usize = 512;

/// Maximum length of a cursor, which holds names of several bytes per character.
pub const MAX_CURSOR: usize = 8192;

/// For the API document: no control characters.
pub const TEXT_PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// Parameters that can be read from a query string.
pub trait FromQuery: Sized {
    /// Parses all parameters. The reader collects the errors and rejects the request after this returns.
    fn from_query(query: &mut QueryReader) -> Self;
}

/// For operations that have no parameters.
pub struct NoParameters;

impl FromQuery for NoParameters {
    fn from_query(_: &mut QueryReader) -> Self {
        Self
    }
}

/// Parses a filter, whose period must not be empty.
pub fn read_filter<F: Filter>(query: &mut QueryReader) -> F {
    let filter = F::read(query);
    if filter.period().is_some_and(|(from, to)| from >= to) {
        query.reject("to", "must be later than from");
    }
    filter
}

impl Parameters for QueryReader {
    fn get<T: Parameter>(&mut self, name: &str) -> Option<T> {
        self.parse(name, &T::expected(), T::read)
    }
}

/// The parameters of one query string, and the errors found so far.
pub struct QueryReader {
    path: String,
    /// Decrypts cursors; `None` for operations without pages.
    cipher: Option<CursorCipher>,
    parameters: Vec<(String, String)>,
    invalid: Vec<InvalidParameter>,
}

impl QueryReader {
    pub fn new(path: &str, query_string: &str, cipher: CursorCipher) -> Self {
        let mut reader =
            Self { path: path.to_owned(), cipher: Some(cipher), parameters: Vec::new(), invalid: Vec::new() };
        for part in query_string.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => reader.add(name, value),
                (name, _) => {
                    reader.reject(name.as_deref().unwrap_or("?"), "is not UTF-8 or contains control characters");
                }
            }
        }
        reader
    }

    /// Treats the members of a body as query parameters: strings, or arrays of strings, which are joined by commas. Null
    /// members are ignored.
    pub fn of_members(path: &str, members: Map<String, Value>) -> Self {
        let mut reader = Self { path: path.to_owned(), cipher: None, parameters: Vec::new(), invalid: Vec::new() };
        for (name, value) in members {
            let text = match &value {
                Value::Null => continue,
                Value::String(text) => Some(text.clone()),
                Value::Array(texts) => {
                    texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
                }
                _ => None,
            };
            match text.filter(|text| !text.chars().chain(name.chars()).any(char::is_control)) {
                Some(text) => reader.add(name, text),
                None => reader.reject(&name, "must be a string without control characters"),
            }
        }
        reader
    }

    /// Removes empty parameters: HTML forms send empty fields.
    pub(crate) fn forget_empty(&mut self) {
        self.parameters.retain(|(_, value)| !value.is_empty());
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|(given, _)| given == name)
    }

    fn add(&mut self, name: String, value: String) {
        if self.parameters.iter().any(|(known, _)| *known == name) {
            self.reject(&name, "is given more than once");
        } else {
            self.parameters.push((name, value));
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn cipher(&self) -> Option<CursorCipher> {
        self.cipher.clone()
    }

    /// Records an invalid parameter.
    pub fn reject(&mut self, name: &str, reason: impl Into<String>) {
        let name: String = name.chars().take(100).collect();
        self.invalid.push(InvalidParameter { name, reason: reason.into() });
    }

    /// An optional string of 1 to [`MAX_TEXT`] characters.
    pub fn string(&mut self, name: &str) -> Option<String> {
        self.string_of_at_most(name, MAX_TEXT)
    }

    /// An optional cursor of 1 to [`MAX_CURSOR`] characters.
    pub(crate) fn cursor(&mut self) -> Option<String> {
        self.string_of_at_most("cursor", MAX_CURSOR)
    }

    fn string_of_at_most(&mut self, name: &str, most: usize) -> Option<String> {
        let at = self.parameters.iter().position(|(given, _)| given == name)?;
        let (_, value) = self.parameters.swap_remove(at);
        if value.is_empty() {
            self.reject(name, "is empty");
            return None;
        }
        if value.chars().count() > most {
            self.reject(name, format!("has more than {most} characters"));
            return None;
        }
        Some(value)
    }

    /// An optional parameter, parsed by `read`.
    pub fn parse<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.string(name)?;
        let value = read(&text);
        if value.is_none() {
            self.reject(name, format!("must be {expected}"));
        }
        value
    }

    pub fn integer(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let expected = format!("an integer from {} to {}", range.start(), range.end());
        self.parse(name, &expected, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// The remaining parameters in a fixed order. Cursors are bound to them.
    #[must_use]
    pub fn remaining(&self) -> String {
        let mut left: Vec<String> = self.parameters.iter().map(|(name, value)| format!("{name}\0{value}")).collect();
        left.sort_unstable();
        left.join("\0\0")
    }

    /// # Errors
    /// [`ApiError::Invalid`], which names every invalid and every unknown parameter.
    pub fn reject_unknown(mut self) -> Result<(), ApiError> {
        for (name, _) in std::mem::take(&mut self.parameters) {
            self.reject(&name, "is not a parameter of this operation");
        }
        if self.invalid.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.invalid)) }
    }
}

fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    (!decoded.chars().any(char::is_control)).then(|| decoded.into_owned())
}
