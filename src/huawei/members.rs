//! Reads the body of a callback, member by member.
//!
//! [`super::notification`] reads the signed members strictly. Other members are read as far as possible: their content
//! may come from the person who pushes, who must not be able to prevent the push from being counted.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write;

use indexmap::IndexMap;
use indexmap::map::Entry;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// Marks a truncated text.
pub const CUT: &str = "…";

/// The members of a body in order, each as raw JSON.
pub(super) struct Members<'a> {
    members: IndexMap<Cow<'a, str>, &'a RawValue>,
    /// Bytes that JSON does not allow were replaced, so U+FFFD may stand for some of them.
    repaired: bool,
}

/// A body whose members cannot be read. `read` has the members before the error.
pub(super) struct Broken<'a> {
    pub(super) problem: String,
    pub(super) read: Members<'a>,
}

/// The text of the body, which [`Members`] borrows.
pub(super) struct Body<'a> {
    text: Cow<'a, str>,
    repaired: bool,
}

impl<'a> Body<'a> {
    /// Expects UTF-8, possibly after a byte order mark.
    pub(super) fn new(body: &'a [u8]) -> Self {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        match std::str::from_utf8(body) {
            Ok(text) => Self { text: text.into(), repaired: false },
            Err(_) => Self::repaired(&String::from_utf8_lossy(body)),
        }
    }

    /// Replaces everything that JSON does not allow in strings but some encoders send.
    pub(super) fn repair(&self) -> Self {
        Self::repaired(&self.text)
    }

    pub(super) fn is_repaired(&self) -> bool {
        self.repaired
    }

    fn repaired(text: &str) -> Self {
        Self { text: repaired(text).into(), repaired: true }
    }

    /// Reads the members.
    ///
    /// # Errors
    /// [`Broken`] unless the body is one JSON object without duplicate members.
    pub(super) fn members(&self) -> Result<Members<'_>, Box<Broken<'_>>> {
        let mut members = IndexMap::with_capacity(12);
        let mut deserializer = serde_json::Deserializer::from_str(&self.text);
        let read = deserializer.deserialize_map(MembersVisitor(&mut members)).and_then(|()| deserializer.end());
        let read_members = Members { members, repaired: self.repaired };
        match read {
            Ok(()) => Ok(read_members),
            Err(error) => Err(Box::new(Broken { problem: error.to_string(), read: read_members })),
        }
    }
}

impl<'a> Members<'a> {
    /// The value of a member; `None` for `null`.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members.get(name).copied().filter(|value| value.get() != "null")
    }

    /// A string exactly as it was sent.
    ///
    /// # Errors
    /// The problem, without the value.
    pub(super) fn text(&self, value: &RawValue) -> Result<String, &'static str> {
        let Ok(text) = serde_json::from_str::<String>(value.get()) else { return Err("is not a string") };
        if text.chars().any(char::is_control) {
            Err("contains a control character")
        } else if self.repaired && text.contains(char::REPLACEMENT_CHARACTER) {
            Err("contains bytes that are not UTF-8, or an invalid escape")
        } else {
            Ok(text)
        }
    }

    /// The readable part of a member of any type, as a text of at most `most` bytes, and whether it was altered. The
    /// items of an array, and the members of an object as `name=value`, are joined with `&`, as in a query string.
    pub(super) fn readable(&self, value: &RawValue, most: usize) -> (Option<String>, bool) {
        let (value, mut altered) = lenient(value);
        altered |= !value.as_ref().is_some_and(Value::is_string);
        let mut text = value.as_ref().map(flat).unwrap_or_default();
        altered |= self.repaired && text.contains(char::REPLACEMENT_CHARACTER);
        if text.len() > most {
            text.truncate(text.floor_char_boundary(most));
            text.push_str(CUT);
            altered = true;
        }
        (value.filter(|_| !text.is_empty()).map(|_| text), altered)
    }

    /// All members except `than`, as far as they fit into `most` bytes of JSON, and whether any was altered or dropped.
    pub(super) fn others(&self, than: &[&str], most: usize) -> (Map<String, Value>, bool) {
        let (mut kept, mut size, mut altered) = (Map::new(), 2, false);
        for (name, value) in self.members.iter().filter(|(name, _)| !than.contains(&name.as_ref())) {
            let (name, name_altered) = escaped(name);
            let (value, value_altered) = lenient(value);
            let value = value.filter(|value| {
                size += name.len() + value.to_string().len() + 4;
                size <= most
            });
            altered |= name_altered || value_altered || value.is_none();
            if let Some(value) = value {
                kept.insert(name.into_owned(), value);
            }
        }
        let replaced = self.repaired && Value::Object(kept.clone()).to_string().contains(char::REPLACEMENT_CHARACTER);
        (kept, altered || replaced)
    }
}

/// A hash map: an unauthenticated body may have thousands of members.
struct MembersVisitor<'v, 'a>(&'v mut IndexMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Visitor<'a> for MembersVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key_seed(NameSeed)? {
            let Entry::Vacant(place) = self.0.entry(name) else {
                return Err(A::Error::custom("duplicate member"));
            };
            place.insert(members.next_value()?);
        }
        Ok(())
    }
}

/// The name of a member, borrowed unless it has escapes.
struct NameSeed;

impl<'a> DeserializeSeed<'a> for NameSeed {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for NameSeed {
    type Value = Cow<'a, str>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Self::Value, E> {
        Ok(name.into())
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(name.to_owned().into())
    }
}

/// A value with control characters escaped, and whether it was altered. `None` if it is nested too deeply, or contains
/// a number that is too large.
fn lenient(value: &RawValue) -> (Option<Value>, bool) {
    let altered = Cell::new(false);
    let read = |text: &str| Lenient(&altered).deserialize(&mut serde_json::Deserializer::from_str(text)).ok();
    let value = read(value.get()).or_else(|| {
        altered.set(true);
        // Half of a surrogate pair is valid JSON but not valid text.
        read(&repaired(value.get()))
    });
    (value, altered.get())
}

/// A value as one text.
fn flat(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join("&"),
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{name}={}", flat(value))).collect::<Vec<_>>().join("&")
        }
    }
}

/// Escapes control characters as in Rust (`\t`, `\u{1b}`). Returns whether there were any.
fn escaped(text: &str) -> (Cow<'_, str>, bool) {
    if !text.chars().any(char::is_control) {
        return (text.into(), false);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    (escaped.into(), true)
}

/// Any JSON value. Records whether it was altered: control characters are escaped, and of duplicate members the last
/// one is kept.
#[derive(Clone, Copy)]
struct Lenient<'a>(&'a Cell<bool>);

impl Lenient<'_> {
    fn text(self, text: &str) -> String {
        let (text, altered) = escaped(text);
        self.0.set(self.0.get() || altered);
        text.into_owned()
    }
}

impl<'de> DeserializeSeed<'de> for Lenient<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lenient<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(self.text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if object.insert(self.text(&name), value).is_some() {
                self.0.set(true);
            }
        }
        Ok(Value::Object(object))
    }
}

/// Makes invalid JSON readable: control characters are escaped in strings and dropped elsewhere; invalid escapes and
/// halves of surrogate pairs become U+FFFD.
fn repaired(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len() + 16);
    let mut in_string = false;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => {
                in_string = !in_string;
                repaired.push('"');
            }
            '\\' if in_string => repair_escape(&mut rest, &mut repaired),
            control if in_string && control < ' ' => {
                let _ = write!(repaired, "\\u{:04x}", u32::from(control));
            }
            control if control < ' ' && !matches!(control, '\t' | '\n' | '\r') => {}
            other => repaired.push(other),
        }
    }
    repaired
}

/// Copies the escape after a backslash, or replaces it with U+FFFD.
fn repair_escape(rest: &mut std::str::Chars<'_>, repaired: &mut String) {
    let follows = rest.as_str();
    let simple = |character: char| matches!(character, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't');
    let unit = |text: &str| {
        u16::from_str_radix(text.get(..4).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?, 16).ok()
    };
    let length = if follows.starts_with(simple) {
        1
    } else {
        let first = follows.strip_prefix('u').and_then(unit);
        let second = follows.get(5..).and_then(|text| text.strip_prefix("\\u")).and_then(unit);
        match (first, second) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 11,
            (Some(0xd800..=0xdfff), _) => {
                repaired.push(char::REPLACEMENT_CHARACTER);
                rest.nth(4);
                return;
            }
            (Some(_), _) => 5,
            (None, _) => {
                repaired.push(char::REPLACEMENT_CHARACTER);
                return;
            }
        }
    };
    let (escape, after) = follows.split_at(length);
    repaired.push('\\');
    repaired.push_str(escape);
    *rest = after.chars();
}
