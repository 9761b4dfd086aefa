//! The spool: messages that are durable on this machine's disk while the database is unreachable.
//!
//! They go in at one end, synced before anyone is told, and are drained at the other, in their order. While one is
//! left, whatever is received goes behind it, so that the log keeps the order of receipt. Draining does not depend on a
//! disk that can be written: what cannot be removed is remembered as drained, and removed when that is possible.
//!
//! What the database rejects when it is drained goes to a second queue, from where it is tried again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::append::MAX_BATCH;
use super::incoming::PendingEntry;
use crate::platform::local_store::{Chunk, Files, Journal, LocalStore, Loss};
use crate::telemetry::metrics::{
    SPOOL_BYTES, SPOOL_CAPACITY_BYTES, SPOOL_DAMAGED_FILES, SPOOL_LOST_MESSAGES, SPOOL_MESSAGES, SPOOL_REFUSED_MESSAGES,
};

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
    File(#[from] io::Error),
    /// A message cannot be put into words.
    #[error("a message cannot be put into words")]
    Words(#[from] serde_json::Error),
}

/// How much waits in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    pub messages: u64,
    pub bytes: u64,
    pub capacity_bytes: u64,
    /// Messages that the database rejected when they were drained, and that are kept aside.
    pub rejected_messages: u64,
    pub damaged_files: u64,
    pub lost_messages: u64,
    /// Whether the last message that was to be spooled could not be.
    pub failing: bool,
}

impl Fill {
    /// Whether there is room for another message, however large.
    pub fn has_room(&self) -> bool {
        self.bytes + LARGEST_MESSAGE_BYTES <= self.capacity_bytes
    }
}

/// Where a message can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// For the database.
    Spool,
    /// After the database rejected it.
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

/// The messages that come next.
pub struct DrainBatch {
    queue: Queue,
    chunk: Arc<Chunk>,
    /// Those that are not in the log yet, in their order.
    pub left: Vec<PendingEntry>,
    pub rejected: Vec<PendingEntry>,
    pub unreadable: Vec<String>,
}

/// Messages that wait for the database.
pub struct Spool {
    store: Arc<LocalStore>,
    counts: Arc<Counts>,
    failing: AtomicBool,
    filled: Notify,
}

/// What the files hold, for those who cannot wait for them.
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
    /// The spool of a local store, with what an earlier process left in it.
    pub async fn open(store: Arc<LocalStore>, capacity_bytes: u64) -> Result<Self, SpoolError> {
        let counts = Arc::new(Counts { capacity_bytes, ..Counts::default() });
        let spool = Self { store, counts, failing: AtomicBool::new(false), filled: Notify::new() };
        spool.look_for_damage().await?;
        Ok(spool)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.counts.messages.load(Ordering::Acquire) == 0
    }

    /// How much waits.
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

    /// Whether nothing waits, and nothing is left to be removed.
    pub fn is_clean(&self) -> bool {
        self.is_empty() && !self.counts.untidy.load(Ordering::Acquire)
    }

    /// Waits until something waits.
    pub async fn until_filled(&self) {
        while self.is_clean() {
            self.filled.notified().await;
        }
    }

    /// Puts messages behind all others; returns when they are durable.
    ///
    /// # Errors
    /// [`SpoolError`]; then none of them is there.
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

    /// The messages of a queue that come next, about as many as go into the log in one commit; none behind the number
    /// `through`.
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

    /// The number of the last message of a queue.
    pub async fn end(&self, queue: Queue) -> Result<u64, SpoolError> {
        Ok(self.with(move |files| Ok(queue.of(files).end())).await?)
    }

    /// Takes note that a portion is in the log, and keeps aside what is not to be there, so that it is in no other's way.
    /// Gives how many messages were lost before or among those of the portion.
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

    /// Removes what is in the log.
    ///
    /// # Errors
    /// [`SpoolError::File`]; then it is still there.
    pub async fn remove_drained(&self) -> Result<(), SpoolError> {
        let removed = self.with(|files| files.spool.remove_taken().and(files.rejected.remove_taken())).await;
        if removed.is_ok() && self.is_clean() {
            self.failing.store(false, Ordering::Relaxed);
        }
        self.look_for_damage().await?;
        Ok(removed?)
    }

    /// Looks which damaged files are set aside.
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

    /// Uses the files, and takes note of what they hold then, before anyone else can change it.
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
        SPOOL_REFUSED_MESSAGES.gauge_of(&[]).set(fill.rejected_messages as f64);
        SPOOL_DAMAGED_FILES.gauge_of(&[]).set(fill.damaged_files as f64);
        SPOOL_LOST_MESSAGES.gauge_of(&[]).set(fill.lost_messages as f64);
    }
}
