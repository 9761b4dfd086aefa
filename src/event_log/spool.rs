//! The spool: callbacks that are durable on this machine's disk while the database is unreachable.
//!
//! A first-in, first-out queue: callbacks are synced before they are answered, and drained in order. While the spool is
//! not empty, every new callback is added to it, so the log keeps the order of receipt. Draining does not need a
//! writable disk: a callback that cannot be removed is remembered as drained, and removed later.
//!
//! Callbacks that the database rejects while draining go to a second queue, and are retried from there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::append::MAX_BATCH;
use super::incoming::PendingEntry;
use crate::platform::local_store::{Chunk, Files, Journal, LocalStore, Loss};
use crate::telemetry::metrics::{
    SPOOL_BYTES, SPOOL_CAPACITY_BYTES, SPOOL_DAMAGED_FILES, SPOOL_LOST_MESSAGES, SPOOL_MESSAGES,
    SPOOL_REJECTED_MESSAGES,
};

/// Upper bound of a spooled callback: a body of 64 KiB, each byte of which may take six in JSON.
const LARGEST_MESSAGE_BYTES: u64 = 6 * 64 * 1024;

/// Why callbacks cannot be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It is at its capacity.
    #[error("the spool is full")]
    Full,
    /// The disk is full or fails.
    #[error("the spool cannot be used")]
    File(#[from] io::Error),
    #[error("a callback cannot be serialized")]
    Words(#[from] serde_json::Error),
}

/// How full the spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    pub messages: u64,
    pub bytes: u64,
    pub capacity_bytes: u64,
    /// Callbacks that the database rejected while draining.
    pub rejected_messages: u64,
    pub damaged_files: u64,
    pub lost_messages: u64,
    /// Whether the last attempt to spool a callback failed.
    pub failing: bool,
}

impl Fill {
    /// Whether another callback fits, however large it is.
    pub fn has_room(&self) -> bool {
        self.bytes + LARGEST_MESSAGE_BYTES <= self.capacity_bytes
    }
}

/// A queue of callbacks on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Callbacks that wait for the database.
    Spool,
    /// Callbacks that the database rejected.
    Rejected,
}

impl Queue {
    fn of(self, files: &mut Files) -> &mut Journal {
        match self {
            Self::Spool => &mut files.spool,
            Self::Rejected => &mut files.rejected,
        }
    }
}

/// The next callbacks of a queue.
pub struct DrainBatch {
    queue: Queue,
    chunk: Arc<Chunk>,
    /// Those that are not in the log yet, in their order.
    pub left: Vec<PendingEntry>,
    pub rejected: Vec<PendingEntry>,
    pub unreadable: Vec<String>,
}

pub struct Spool {
    store: Arc<LocalStore>,
    counts: Arc<Counts>,
    failing: AtomicBool,
    filled: Notify,
}

/// The contents of the files, readable without waiting for them.
#[derive(Default)]
struct Counts {
    messages: AtomicU64,
    bytes: AtomicU64,
    capacity_bytes: u64,
    untidy: AtomicBool,
    rejected_messages: AtomicU64,
    damaged_files: AtomicU64,
    lost_messages: AtomicU64,
}

impl Spool {
    /// Opens the spool of a local store, with the callbacks that an earlier process left in it.
    pub async fn open(store: Arc<LocalStore>, capacity_bytes: u64) -> Result<Self, SpoolError> {
        let counts = Arc::new(Counts { capacity_bytes, ..Counts::default() });
        let spool = Self { store, counts, failing: AtomicBool::new(false), filled: Notify::new() };
        spool.look_for_damage().await?;
        Ok(spool)
    }

    pub fn is_empty(&self) -> bool {
        self.counts.messages.load(Ordering::Acquire) == 0
    }

    pub fn fill(&self) -> Fill {
        let Counts { messages, bytes, capacity_bytes, rejected_messages, damaged_files, lost_messages, .. } =
            &*self.counts;
        Fill {
            messages: messages.load(Ordering::Acquire),
            bytes: bytes.load(Ordering::Acquire),
            capacity_bytes: *capacity_bytes,
            rejected_messages: rejected_messages.load(Ordering::Acquire),
            damaged_files: damaged_files.load(Ordering::Acquire),
            lost_messages: lost_messages.load(Ordering::Acquire),
            failing: self.failing.load(Ordering::Relaxed),
        }
    }

    /// Whether no callback waits, and no drained one is left to remove.
    pub fn is_clean(&self) -> bool {
        self.is_empty() && !self.counts.untidy.load(Ordering::Acquire)
    }

    /// Waits until the spool has callbacks to drain or to remove.
    pub async fn until_filled(&self) {
        while self.is_clean() {
            self.filled.notified().await;
        }
    }

    /// Adds callbacks at the end; returns when they are durable.
    ///
    /// # Errors
    /// [`SpoolError`]; then none of them was added.
    pub async fn add(&self, messages: &[&PendingEntry]) -> Result<(), SpoolError> {
        let added = self.try_add(messages).await;
        self.failing.store(added.is_err(), Ordering::Relaxed);
        added
    }

    async fn try_add(&self, messages: &[&PendingEntry]) -> Result<(), SpoolError> {
        let texts = messages.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let bytes: usize = texts.iter().map(String::len).sum();
        if self.counts.bytes.load(Ordering::Acquire) + bytes as u64 > self.counts.capacity_bytes {
            return Err(SpoolError::Full);
        }
        self.with(move |files| files.spool.append(&texts)).await?;
        self.filled.notify_one();
        Ok(())
    }

    /// The next callbacks of a queue, about as many as one commit appends, up to the callback number `through`.
    pub async fn next(&self, queue: Queue, through: u64) -> Result<Option<DrainBatch>, SpoolError> {
        let Some(chunk) = self.with(move |files| queue.of(files).next(MAX_BATCH, through)).await? else {
            return Ok(None);
        };
        let (mut left, mut unreadable) = (Vec::with_capacity(chunk.texts.len()), Vec::new());
        for text in &chunk.texts {
            match serde_json::from_str(text) {
                Ok(message) => left.push(message),
                Err(_) => unreadable.push(text.clone()),
            }
        }
        Ok(Some(DrainBatch { queue, chunk: Arc::new(chunk), left, rejected: Vec::new(), unreadable }))
    }

    /// The number of the last callback in a queue.
    pub async fn end(&self, queue: Queue) -> Result<u64, SpoolError> {
        Ok(self.with(move |files| Ok(queue.of(files).end())).await?)
    }

    /// Marks a batch as drained, and moves its rejected and unreadable callbacks to the second queue, so that they do
    /// not block others. Returns how many callbacks were lost before or within the batch.
    ///
    /// # Errors
    /// [`SpoolError`]; then nothing has changed.
    pub async fn settle(&self, portion: &DrainBatch) -> Result<u64, SpoolError> {
        let mut aside = portion.unreadable.clone();
        for message in &portion.rejected {
            aside.push(serde_json::to_string(message)?);
        }
        let queue = portion.queue;
        let chunk = Arc::clone(&portion.chunk);
        self.with(move |files| {
            if !aside.is_empty() {
                files.rejected.append(&aside)?;
            }
            queue.of(files).take(&chunk);
            Ok(())
        })
        .await?;
        for Loss { from, through, messages, .. } in &portion.chunk.losses {
            tracing::error!(
                messages,
                from,
                through,
                "callbacks are missing from the spool: their files are kept in local-store/damaged, and /readyz \
                 counts them; check the data folder's disk"
            );
        }
        Ok(portion.chunk.losses.iter().map(|loss| loss.messages).sum())
    }

    /// Removes drained callbacks from the disk.
    ///
    /// # Errors
    /// [`SpoolError::File`]; then they are still on the disk.
    pub async fn remove_drained(&self) -> Result<(), SpoolError> {
        let removed = self.with(|files| files.spool.remove_taken().and(files.rejected.remove_taken())).await;
        if removed.is_ok() && self.is_clean() {
            self.failing.store(false, Ordering::Relaxed);
        }
        self.look_for_damage().await?;
        Ok(removed?)
    }

    /// Counts the damaged files that were set aside.
    pub async fn look_for_damage(&self) -> Result<(), SpoolError> {
        let counts = Arc::clone(&self.counts);
        let look = move |files: &mut Files| {
            let damage = files.damage()?;
            counts.damaged_files.store(damage.files, Ordering::Release);
            counts.lost_messages.store(damage.lost_messages, Ordering::Release);
            Ok(())
        };
        Ok(self.with(look).await?)
    }

    /// Uses the files, and updates the counts before another task can change the files.
    async fn with<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Files) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let counts = Arc::clone(&self.counts);
        let done = self.store.with(move |files| {
            let done = action(files);
            counts.messages.store(files.spool.messages(), Ordering::Release);
            counts.bytes.store(files.spool.bytes(), Ordering::Release);
            counts.untidy.store(!files.spool.is_tidy(), Ordering::Release);
            counts.rejected_messages.store(files.rejected.messages(), Ordering::Release);
            done
        });
        let done = done.await;
        self.show();
        done
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges are approximate")]
    fn show(&self) {
        let fill = self.fill();
        SPOOL_MESSAGES.gauge_of(&[]).set(fill.messages as f64);
        SPOOL_BYTES.gauge_of(&[]).set(fill.bytes as f64);
        SPOOL_CAPACITY_BYTES.gauge_of(&[]).set(fill.capacity_bytes as f64);
        SPOOL_REJECTED_MESSAGES.gauge_of(&[]).set(fill.rejected_messages as f64);
        SPOOL_DAMAGED_FILES.gauge_of(&[]).set(fill.damaged_files as f64);
        SPOOL_LOST_MESSAGES.gauge_of(&[]).set(fill.lost_messages as f64);
    }
}
