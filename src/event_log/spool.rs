//! The spool: messages that are durable on this machine's disk while the database is away.
//!
//! Batches go in at one end, synced before anyone is told, and are drained at the other, in their order. While one is
//! left, whatever is received goes behind it, so that the log keeps the order of receipt. Draining does not depend on a
//! disk that can be written: what cannot be removed is remembered as drained, and removed when that is possible.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::append::MOST_AT_ONCE;
use super::incoming::Incoming;
use crate::standby::Standby;
use crate::store::standby as file;
use crate::telemetry::metrics::{SPOOL_BYTES, SPOOL_CAPACITY_BYTES, SPOOL_MESSAGES, SPOOL_REFUSED_MESSAGES};

/// What one message takes at most: a body of 64 KiB, of which each byte may need six to be written as JSON.
const LARGEST_MESSAGE_BYTES: u64 = 6 * 64 * 1024;

/// Why messages cannot be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It holds as much as it may.
    #[error("the spool is full")]
    Full,
    /// The disk is full, or does not work.
    #[error("the spool cannot be used")]
    File(#[from] sqlx::Error),
    /// A message cannot be put into words.
    #[error("a message cannot be put into words")]
    Words(#[from] serde_json::Error),
}

/// How much waits in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Messages that wait for the database.
    pub messages: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Bytes that they may take.
    pub capacity_bytes: u64,
    /// Messages that the database refused when they were drained, and that are kept aside.
    pub refused_messages: u64,
    /// Whether the last message that was to be spooled could not be.
    pub failing: bool,
}

impl Fill {
    /// Whether there is room for another message, however large.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.bytes + LARGEST_MESSAGE_BYTES <= self.capacity_bytes
    }
}

/// The messages that come next.
pub struct Portion {
    last_batch: i64,
    taken_messages: u64,
    taken_bytes: u64,
    /// Those that are not in the log yet, in their order.
    pub left: Vec<Incoming>,
}

/// Messages that wait for the database.
pub struct Spool {
    standby: Arc<Standby>,
    capacity_bytes: u64,
    messages: AtomicU64,
    bytes: AtomicU64,
    refused_messages: AtomicU64,
    failing: AtomicBool,
    drained: Mutex<Drained>,
    filled: Notify,
}

/// What is in the log, and not removed yet.
#[derive(Default, Clone, Copy)]
struct Drained {
    /// The last batch that was drained.
    to: i64,
    /// The room that is not given back.
    bytes: u64,
}

impl Spool {
    /// The spool of a standby file, with what an earlier process left in it.
    ///
    /// # Errors
    /// [`SpoolError::File`].
    pub async fn open(standby: Arc<Standby>, capacity_bytes: u64) -> Result<Self, SpoolError> {
        let totals = file::get_totals(&mut *standby.file().await?).await?;
        let count = |number: i64| AtomicU64::new(u64::try_from(number).unwrap_or_default());
        let spool = Self {
            standby,
            capacity_bytes,
            messages: count(totals.messages),
            bytes: count(totals.bytes),
            refused_messages: count(totals.refused_messages),
            failing: AtomicBool::new(false),
            drained: Mutex::default(),
            filled: Notify::new(),
        };
        spool.show();
        Ok(spool)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.load(Ordering::Acquire) == 0
    }

    /// How much waits.
    #[must_use]
    pub fn fill(&self) -> Fill {
        Fill {
            messages: self.messages.load(Ordering::Acquire),
            bytes: self.bytes.load(Ordering::Acquire),
            capacity_bytes: self.capacity_bytes,
            refused_messages: self.refused_messages.load(Ordering::Acquire),
            failing: self.failing.load(Ordering::Relaxed),
        }
    }

    /// Whether nothing waits, and nothing is left to be removed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.is_empty() && self.drained().bytes == 0
    }

    /// Waits until something waits.
    pub async fn until_filled(&self) {
        while self.is_clean() {
            self.filled.notified().await;
        }
    }

    fn drained(&self) -> MutexGuard<'_, Drained> {
        self.drained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts messages behind all others; returns when they are durable.
    ///
    /// # Errors
    /// [`SpoolError`]; then none of them is there.
    pub async fn add(&self, messages: &[&Incoming]) -> Result<(), SpoolError> {
        let added = self.try_add(messages).await;
        self.failing.store(added.is_err(), Ordering::Relaxed);
        added
    }

    async fn try_add(&self, messages: &[&Incoming]) -> Result<(), SpoolError> {
        let body = serde_json::to_string(messages)?;
        let (count, bytes) = (messages.len() as u64, body.len() as u64);
        if self.bytes.load(Ordering::Acquire) + bytes > self.capacity_bytes {
            return Err(SpoolError::Full);
        }
        let rows = i64::try_from(count).unwrap_or(i64::MAX);
        let mut file = self.standby.file().await?;
        file::insert_batch(&mut *file, rows, &body).await?;
        // Before anyone can take them out again.
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.messages.fetch_add(count, Ordering::AcqRel);
        drop(file);
        self.filled.notify_one();
        self.show();
        Ok(())
    }

    /// The messages that come next, about as many as go into the log in one commit.
    ///
    /// # Errors
    /// [`SpoolError::File`].
    pub async fn next(&self) -> Result<Option<Portion>, SpoolError> {
        let drained_to = self.drained().to;
        let mut portion = Portion { last_batch: drained_to, taken_messages: 0, taken_bytes: 0, left: Vec::new() };
        let mut file = self.standby.file().await?;
        while portion.left.len() < MOST_AT_ONCE {
            let Some(batch) = file::get_batch_after(&mut *file, portion.last_batch).await? else { break };
            portion.last_batch = batch.batch_id;
            portion.taken_bytes += batch.body.len() as u64;
            portion.taken_messages += u64::try_from(batch.messages).unwrap_or_default();
            if let Ok(messages) = serde_json::from_str::<Vec<Incoming>>(&batch.body) {
                portion.left.extend(messages);
            } else {
                tracing::error!(
                    messages = batch.messages,
                    "spooled messages cannot be read: they are kept aside, and /readyz counts them; keep the file \
                     standby.sqlite (and standby.sqlite-wal) and see to the disk"
                );
                self.put_aside(&mut file, &batch.body).await?;
            }
        }
        Ok((portion.last_batch > drained_to).then_some(portion))
    }

    /// Takes note that a portion is in the log: its messages wait no more.
    pub fn settle(&self, portion: &Portion) {
        let mut drained = self.drained();
        drained.to = portion.last_batch;
        drained.bytes += portion.taken_bytes;
        drop(drained);
        self.messages.fetch_sub(portion.taken_messages, Ordering::AcqRel);
        self.show();
    }

    /// Removes what is in the log.
    ///
    /// # Errors
    /// [`SpoolError::File`]; then it is still there.
    pub async fn remove_drained(&self) -> Result<(), SpoolError> {
        let Drained { to, bytes } = *self.drained();
        let mut file = self.standby.file().await?;
        file::delete_batches_through(&mut *file, to).await?;
        self.drained().bytes -= bytes;
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        if self.is_clean() {
            self.failing.store(false, Ordering::Relaxed);
            if let Err(error) = file::shrink(&mut *file).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the spool's file does not get smaller");
            }
        }
        drop(file);
        self.show();
        Ok(())
    }

    /// Keeps a message aside that the database refuses, so that it is in no other's way.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn keep_aside(&self, message: &Incoming) -> Result<(), SpoolError> {
        let body = serde_json::to_string(message)?;
        self.put_aside(&mut *self.standby.file().await?, &body).await
    }

    async fn put_aside(&self, file: &mut sqlx::SqliteConnection, body: &str) -> Result<(), SpoolError> {
        file::insert_refused_message(file, body).await?;
        self.refused_messages.fetch_add(1, Ordering::AcqRel);
        self.show();
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges are approximate")]
    fn show(&self) {
        let fill = self.fill();
        SPOOL_MESSAGES.gauge_of(&[]).set(fill.messages as f64);
        SPOOL_BYTES.gauge_of(&[]).set(fill.bytes as f64);
        SPOOL_CAPACITY_BYTES.gauge_of(&[]).set(fill.capacity_bytes as f64);
        SPOOL_REFUSED_MESSAGES.gauge_of(&[]).set(fill.refused_messages as f64);
    }
}
