//! The lines of an export file.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::AsyncRead;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use crate::registry::installation::MOST_SHARDS;
use crate::store::transfer::RecordedEntryRow;

/// The longest line that is read, in bytes: several times the size of the largest event.
const LONGEST: usize = 256 << 10;

/// A batch is read until its lines have this many bytes.
const MOST_BYTES: usize = 4 << 20;

/// Incremented when the format changes incompatibly.
const VERSION: u32 = 1;

/// The first line: describes the lines that follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    streamtally_log: u32,
    pub shards: i16,
    pub entries: u64,
    pub exported_at: DateTime<Utc>,
}

impl Header {
    pub fn new(shards: i16, entries: u64, exported_at: DateTime<Utc>) -> Self {
        Self { streamtally_log: VERSION, shards, entries, exported_at }
    }
}

/// Serializes an event as a line, without the line break.
pub(super) fn text_of(entry: &RecordedEntryRow) -> Result<String, serde_json::Error> {
    let mut members = serde_json::to_value(entry)?;
    if let Value::Object(members) = &mut members {
        members.retain(|_, value| !matches!(value, Value::Null | Value::Bool(false)));
    }
    serde_json::to_string(&members)
}

/// An event with its line number, from 1.
pub(super) struct Numbered {
    pub(super) line: u64,
    pub(super) entry: RecordedEntryRow,
}

#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The first line is not a header.
    #[error("this is not an exported log: its first line is not the header that `export` writes")]
    NoHeader,
    /// A newer version of the program wrote it.
    #[error("this log was exported in version {0} of the format, which is newer than this program")]
    Newer(u64),
    /// The line is not JSON, or not an event. The error does not quote it: it may contain personal data.
    #[error("line {line}, column {column} {problem}")]
    Malformed {
        /// Line number, from 1.
        line: u64,
        /// Column in it, from 1.
        column: usize,
        problem: &'static str,
    },
    /// No event is that long.
    #[error("line {line} is longer than any event can be")]
    TooLong {
        /// Line number, from 1.
        line: u64,
    },
    /// Reading the input failed.
    #[error("the log cannot be read")]
    Io(#[from] std::io::Error),
}

pub struct Lines<Source> {
    lines: FramedRead<Source, LinesCodec>,
    read: u64,
}

impl<Source: AsyncRead + Unpin> Lines<Source> {
    /// Opens an export and reads its header.
    pub async fn open(source: Source) -> Result<(Header, Self), LinesError> {
        let mut lines = Self { lines: FramedRead::new(source, LinesCodec::new_with_max_length(LONGEST)), read: 0 };
        let first = match lines.next_text().await {
            Ok(first) => first.unwrap_or_default(),
            // No header is that long.
            Err(LinesError::TooLong { .. }) => String::new(),
            Err(error) => return Err(error),
        };
        let Ok(header) = serde_json::from_str::<Value>(&first) else { return Err(LinesError::NoHeader) };
        let version = header.get("streamtally_log").and_then(Value::as_u64).ok_or(LinesError::NoHeader)?;
        if version > u64::from(VERSION) {
            return Err(LinesError::Newer(version));
        }
        let header = serde_json::from_value::<Header>(header).map_err(|_| LinesError::NoHeader)?;
        if version == 0 || !(1..=MOST_SHARDS).contains(&header.shards) {
            return Err(LinesError::NoHeader);
        }
        Ok((header, lines))
    }

    /// The next events: at most `limit`, and a few megabytes; none at the end.
    pub(super) async fn next_entries(&mut self, limit: usize) -> Result<Vec<Numbered>, LinesError> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() < limit && bytes < MOST_BYTES {
            let Some(text) = self.next_text().await? else { break };
            let malformed = |error: serde_json::Error| {
                let problem = if error.is_data() { "is not valid in an entry" } else { "is not JSON" };
                LinesError::Malformed { line: self.read, column: error.column(), problem }
            };
            entries.push(Numbered { line: self.read, entry: serde_json::from_str(&text).map_err(malformed)? });
            bytes += text.len();
        }
        Ok(entries)
    }

    async fn next_text(&mut self) -> Result<Option<String>, LinesError> {
        let Some(text) = self.lines.next().await else { return Ok(None) };
        self.read += 1;
        match text {
            Ok(text) => Ok(Some(text)),
            Err(LinesCodecError::MaxLineLengthExceeded) => Err(LinesError::TooLong { line: self.read }),
            Err(LinesCodecError::Io(error)) => Err(error.into()),
        }
    }
}
