//! Keeps rejected callbacks, so that those of the provider can be admitted when the cause is fixed.
//!
//! Receiving only puts a copy on a bounded queue, or drops it: a rejection waits for nothing. A task encrypts what is
//! queued and writes it every second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::Counter;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::budget::{Budget, Claim, Pot};
use crate::model::rejection::RejectionReason;
use crate::platform::clock;
use crate::registry::master_key::{MasterKeyError, SealingKey};
use crate::registry::watch::LiveRegistry;
use crate::registry::{Registry, hash_callback_token};
use crate::store;
use crate::store::kept_rejection::{KeptRejectionRow, KeptUsageRow};
use crate::telemetry::metrics::{
    KEPT_REJECTION_BYTES, KEPT_REJECTION_CAPACITY_BYTES, KEPT_REJECTIONS, REJECTIONS_NOT_KEPT,
};

/// Maximum size of the queue, and so of what is encrypted and written in a second.
const QUEUE_BYTES: u64 = 1 << 20;

const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Timeout of a write, so that the last one does not delay the service's stop for long.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often old rejections are deleted, and the use of space is read from the database: other processes keep
/// rejections, too, and retries remove them.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);

/// What a row takes on disk in addition to its body: its other columns, headers, and its entry in the index.
const ROW_BYTES: u64 = 250;

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct KeepingPolicy {
    pub capacity_bytes: u64,
    pub keep: TimeDelta,
}

/// A rejected callback as it was received.
pub struct RejectedBody<'a> {
    pub claim: Claim,
    pub cause: RejectionReason,
    pub received_at: DateTime<Utc>,
    pub callback_token: Option<&'a SecretString>,
    pub source_ip: Option<IpAddr>,
    pub body: &'a [u8],
}

/// Whether a callback that was rejected for this reason could be admitted later.
pub fn is_worth_keeping(cause: RejectionReason) -> bool {
    match cause {
        RejectionReason::UnknownDomain
        | RejectionReason::AppNotAllowed
        | RejectionReason::SecretPathMissing
        | RejectionReason::SecretPathWrong
        | RejectionReason::NoKey
        | RejectionReason::SignatureMissing
        | RejectionReason::SignatureMalformed
        | RejectionReason::ExpiryMalformed
        | RejectionReason::ExpiryTooFar
        | RejectionReason::SignatureMismatch
        | RejectionReason::NotANotification
        | RejectionReason::Milliseconds => true,
        // It is of another kind, or its body was not read.
        RejectionReason::OtherCallback
        | RejectionReason::WrongPath
        | RejectionReason::WrongMethod
        | RejectionReason::TooLarge
        | RejectionReason::TooSlow
        | RejectionReason::UnsupportedEncoding => false,
    }
}

/// Why a rejected callback was not kept.
#[derive(Debug, Clone, Copy)]
enum NotKept {
    /// The space for its domain is used up.
    NoSpace,
    /// Too many are rejected in a second.
    QueueFull,
    /// The installation's key for them is damaged.
    NoKey,
}

impl NotKept {
    const ALL: [Self; 3] = [Self::NoSpace, Self::QueueFull, Self::NoKey];

    fn counter(self, claim: &Claim) -> Counter {
        let cause = match self {
            Self::NoSpace => "no_space",
            Self::QueueFull => "queue_full",
            Self::NoKey => "no_key",
        };
        let claim = match claim {
            Claim::Registered(_) => "registered",
            Claim::Unregistered(_) => "unregistered",
        };
        REJECTIONS_NOT_KEPT.counter_of(&[("cause", cause), ("claim", claim)])
    }
}

/// Registers the metrics, so that they are exported as zero before the first rejection.
pub fn initialize_metrics() {
    for claim in [Claim::Registered(String::new()), Claim::Unregistered(String::new())] {
        for cause in NotKept::ALL {
            let _ = cause.counter(&claim);
        }
    }
}

struct Queued {
    claim: Claim,
    cause: RejectionReason,
    received_at: DateTime<Utc>,
    callback_token_hash: Option<[u8; 32]>,
    source_ip: Option<IpAddr>,
    body: Vec<u8>,
}

impl Queued {
    fn bytes(&self) -> u64 {
        bytes_of(self.claim.name(), &self.body)
    }

    fn seal(&self, key: &SealingKey) -> KeptRejectionRow {
        let rejection_id = Uuid::new_v4();
        KeptRejectionRow {
            received_at: self.received_at,
            rejection_id,
            claimed_domain: self.claim.name().to_owned(),
            cause: self.cause,
            callback_token_hash: self.callback_token_hash.map(Vec::from),
            source_ip: self.source_ip.map(|address| address.to_string()),
            sealed_body: key.seal(rejection_id.as_bytes(), &self.body),
            bytes: i32::try_from(self.bytes()).unwrap_or(i32::MAX),
        }
    }
}

/// The body of a kept rejection as it was received.
///
/// # Errors
/// It is damaged, or was encrypted for another installation.
pub fn open_body(row: &KeptRejectionRow, key: &SealingKey) -> Result<Vec<u8>, MasterKeyError> {
    key.open(row.rejection_id.as_bytes(), &row.sealed_body)
}

/// What a row takes on disk, approximately: a long body is stored in parts, each with its own header.
fn bytes_of(claimed_domain: &str, body: &[u8]) -> u64 {
    let body = body.len() as u64;
    ROW_BYTES + claimed_domain.len() as u64 + body + body / 16
}

/// The callbacks that are not written yet.
struct Queue {
    waiting: Vec<Queued>,
    space: Pot,
    used: HashMap<Claim, u64>,
}

impl Default for Queue {
    fn default() -> Self {
        let space = Pot { capacity: QUEUE_BYTES, used: 0 };
        Self { waiting: Vec::new(), space, used: HashMap::new() }
    }
}

impl Queue {
    /// Unregistered domains share what one registered domain may have: anyone can invent names.
    fn claimant(claim: &Claim) -> Claim {
        match claim {
            Claim::Registered(_) => claim.clone(),
            Claim::Unregistered(_) => Claim::Unregistered(String::new()),
        }
    }

    fn has_room_for(&self, claim: &Claim, bytes: u64) -> bool {
        let own = self.used.get(&Self::claimant(claim)).copied().unwrap_or_default();
        self.space.has_room_for(own, bytes)
    }

    fn push(&mut self, queued: Queued) {
        let bytes = queued.bytes();
        self.space.used += bytes;
        *self.used.entry(Self::claimant(&queued.claim)).or_default() += bytes;
        self.waiting.push(queued);
    }
}

#[derive(Default)]
struct Keeper {
    queue: Queue,
    /// Includes what is queued. `None` until the use of space is known.
    budget: Option<Budget>,
}

/// The queue of rejected callbacks, and the space for them.
pub struct KeptRejections {
    policy: KeepingPolicy,
    keeper: Mutex<Keeper>,
}

impl KeptRejections {
    pub fn new(policy: KeepingPolicy) -> Self {
        Self { policy, keeper: Mutex::default() }
    }

    /// Queues a rejected callback if there is room for it, and returns whether it is queued. Never waits.
    pub fn offer(&self, rejected: RejectedBody<'_>) -> bool {
        if !is_worth_keeping(rejected.cause) {
            return false;
        }
        let RejectedBody { claim, cause, received_at, callback_token, source_ip, body } = rejected;
        let bytes = bytes_of(claim.name(), body);
        let mut keeper = self.lock();
        let refused = if !keeper.queue.has_room_for(&claim, bytes) {
            Some(NotKept::QueueFull)
        } else if keeper.budget.as_mut().is_some_and(|budget| !budget.try_add(&claim, bytes)) {
            Some(NotKept::NoSpace)
        } else {
            None
        };
        if let Some(refused) = refused {
            drop(keeper);
            refused.counter(&claim).increment(1);
            return false;
        }
        let callback_token_hash = callback_token.map(|token| hash_callback_token(token.expose_secret()));
        keeper.queue.push(Queued { claim, cause, received_at, callback_token_hash, source_ip, body: body.to_vec() });
        true
    }

    /// Writes what is queued every second, and once more when it is stopped.
    pub async fn write_until_stopped(&self, pool: PgPool, registry: LiveRegistry, stopped: CancellationToken) {
        let mut failing = false;
        let mut refreshed: Option<Instant> = None;
        loop {
            let is_due = refreshed.is_none_or(|refreshed| refreshed.elapsed() >= REFRESH_INTERVAL);
            let mut written = Ok(());
            if is_due {
                written = in_time(self.refresh(&pool, &registry.current(), clock::now())).await;
                refreshed = written.is_ok().then(Instant::now);
            }
            if written.is_ok() {
                written = self.write(&pool, &registry.current()).await;
            }
            if let (Err(error), false) = (&written, failing) {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "could not write rejected callbacks; those that fit in memory wait there");
            }
            failing = written.is_err();
            if stopped.is_cancelled() {
                return;
            }
            let _ = timeout(WRITE_INTERVAL, stopped.cancelled()).await;
        }
    }

    /// Deletes what is too old, and reads how much space is used.
    async fn refresh(&self, pool: &PgPool, registry: &Registry, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        store::kept_rejection::delete_kept_before(pool, now - self.policy.keep).await?;
        let usage = store::kept_rejection::list_kept_usage(pool).await?;
        show(&usage, self.policy.capacity_bytes);
        let mut budget = Budget::new(self.policy.capacity_bytes, registry.number_of_domains());
        for row in usage {
            budget.add(&claim_of(registry, row.claimed_domain), u64::try_from(row.bytes).unwrap_or_default());
        }
        let mut keeper = self.lock();
        for queued in &keeper.queue.waiting {
            budget.add(&queued.claim, queued.bytes());
        }
        keeper.budget = Some(budget);
        Ok(())
    }

    /// Encrypts and writes what is queued. On an error, it stays queued.
    async fn write(&self, pool: &PgPool, registry: &Registry) -> Result<(), sqlx::Error> {
        let Queue { waiting, .. } = std::mem::take(&mut self.lock().queue);
        if waiting.is_empty() {
            return Ok(());
        }
        let Some(key) = &registry.rejection_key else {
            for queued in &waiting {
                NotKept::NoKey.counter(&queued.claim).increment(1);
            }
            return Ok(());
        };
        let rows: Vec<_> = waiting.iter().map(|queued| queued.seal(key)).collect();
        let written = in_time(store::kept_rejection::insert_kept_rejections(pool, &rows)).await;
        if written.is_err() {
            let queue = &mut self.lock().queue;
            let newer = std::mem::take(queue).waiting;
            waiting.into_iter().chain(newer).for_each(|queued| queue.push(queued));
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The claim to a domain, by whether it is registered now.
pub fn claim_of(registry: &Registry, claimed_domain: String) -> Claim {
    if registry.domain(&claimed_domain).is_some() {
        Claim::Registered(claimed_domain)
    } else {
        Claim::Unregistered(claimed_domain)
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(WRITE_TIMEOUT, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

#[expect(clippy::cast_precision_loss, reason = "gauges are approximate")]
fn show(usage: &[KeptUsageRow], capacity_bytes: u64) {
    KEPT_REJECTIONS.gauge_of(&[]).set(usage.iter().map(|row| row.callbacks).sum::<i64>() as f64);
    KEPT_REJECTION_BYTES.gauge_of(&[]).set(usage.iter().map(|row| row.bytes).sum::<i64>() as f64);
    KEPT_REJECTION_CAPACITY_BYTES.gauge_of(&[]).set(capacity_bytes as f64);
}
