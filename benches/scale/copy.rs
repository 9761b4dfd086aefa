//! Loads rows with binary COPY: encodes them on one core while the server loads them on another.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use streamtally::model::event::{Disposition, Origin, Signature};
use streamtally::model::session::{EndSource, Flag, Status};
use tokio::sync::mpsc::{Sender, channel};
use uuid::Uuid;

const CHUNK: usize = 1 << 20;

/// Copies the rows that `make` writes. Returns their number.
pub(super) async fn copy_in(
    connection: &mut PgConnection,
    statement: &str,
    make: impl FnOnce(&mut Rows) + Send + 'static,
) -> anyhow::Result<u64> {
    let (sender, mut chunks) = channel(8);
    let maker = tokio::task::spawn_blocking(move || {
        let mut rows = Rows { buffer: b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec(), sender };
        make(&mut rows);
        rows.buffer.extend((-1_i16).to_be_bytes());
        rows.send();
    });
    let mut copy = connection.copy_in_raw(statement).await?;
    while let Some(chunk) = chunks.recv().await {
        copy.send(chunk).await?;
    }
    maker.await?;
    Ok(copy.finish().await?)
}

/// The encoder and buffer of rows.
pub(super) struct Rows {
    buffer: Vec<u8>,
    sender: Sender<Vec<u8>>,
}

impl Rows {
    pub(super) fn push(&mut self, columns: &[&dyn Column]) {
        self.buffer.extend(i16::try_from(columns.len()).unwrap_or(i16::MAX).to_be_bytes());
        for column in columns {
            column.write(&mut self.buffer);
        }
        if self.buffer.len() >= CHUNK {
            self.send();
        }
    }

    fn send(&mut self) {
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK + CHUNK / 16));
        // The receiver is gone after an error, which it returns itself.
        let _ = self.sender.blocking_send(chunk);
    }
}

/// A type that a column can have.
pub(super) trait Column {
    /// Writes the length and the bytes.
    fn write(&self, buffer: &mut Vec<u8>);
}

fn write_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
    buffer.extend(bytes);
}

macro_rules! column {
    ($type:ty, $value:ident => $bytes:expr) => {
        impl Column for $type {
            fn write(&self, buffer: &mut Vec<u8>) {
                let $value = self;
                write_bytes(buffer, $bytes.as_ref());
            }
        }
    };
}

column!(i16, value => value.to_be_bytes());
column!(i32, value => value.to_be_bytes());
column!(i64, value => value.to_be_bytes());
column!(bool, value => [u8::from(*value)]);
column!(&str, value => value);
column!(String, value => value);
column!(Vec<u8>, value => value);
column!(Disposition, value => value.as_str());
column!(EndSource, value => value.as_str());
column!(Origin, value => value.as_str());
column!(Signature, value => value.as_str());
column!(Status, value => value.as_str());
column!(Uuid, value => value);
// Microseconds since 2000.
column!(DateTime<Utc>, value => (value.timestamp_micros() - 946_684_800_000_000).to_be_bytes());

impl<T: Column> Column for Option<T> {
    fn write(&self, buffer: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(buffer),
            None => buffer.extend((-1_i32).to_be_bytes()),
        }
    }
}

/// An array of texts.
impl Column for Vec<Flag> {
    fn write(&self, buffer: &mut Vec<u8>) {
        const TEXT: i32 = 25;
        let mut array = Vec::new();
        let dimensions = i32::from(!self.is_empty());
        for number in [dimensions, 0, TEXT] {
            array.extend(number.to_be_bytes());
        }
        if dimensions > 0 {
            array.extend(i32::try_from(self.len()).unwrap_or(i32::MAX).to_be_bytes());
            array.extend(1_i32.to_be_bytes());
        }
        for text in self {
            text.as_str().write(&mut array);
        }
        write_bytes(buffer, &array);
    }
}
