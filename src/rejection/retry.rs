//! Admits kept rejections with today's keys and settings, as of the time when each was received.
//!
//! Those that are accepted or quarantined now enter the log with their original time of receipt, and are no longer kept.
//! An event has the id of its rejection, and one retry runs at a time: so a retry that was interrupted can be repeated,
//! and admits none twice.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::Counter;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::Sample;
use super::kept::open_body;
use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::event_log::append::{Log, Settled};
use crate::event_log::incoming::PendingEntry;
use crate::event_log::receive::{Admitter, ReceivedCallback};
use crate::huawei::admission::{CallbackRoute, Verdict};
use crate::huawei::notification::{self, NotANotification};
use crate::model::access::Act;
use crate::model::event::{Disposition, QuarantineReason};
use crate::model::filter::RejectionFilter;
use crate::model::rejection::RejectionReason;
use crate::registry::Domain;
use crate::registry::master_key::SealingKey;
use crate::store;
use crate::store::kept_rejection::{KeptRejectionRow, Place};
use crate::store::log::NewEntryRow;
use crate::telemetry::metrics::RETRIED_CALLBACKS;

/// The most kept rejections that are read at a time.
const MAX_BATCH: i64 = 1_000;

/// Timeout of the commits of a batch.
const APPEND_TIMEOUT: Duration = Duration::from_secs(20);

/// How far the database's clock may be behind the service's.
const CLOCK_SKEW: TimeDelta = TimeDelta::days(1);

/// Why kept rejections were not retried, or not all of them. They can be retried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// They cannot be decrypted.
    #[error("the key of kept rejections is damaged")]
    Key,
    /// The database did not confirm an append.
    #[error("the database did not confirm that the callbacks are stored")]
    NotConfirmed,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// What became of kept rejections, or would become of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryResult {
    pub accepted: u64,
    pub quarantined: BTreeMap<QuarantineReason, u64>,
    /// Those that are still rejected, and stay kept.
    pub rejected: BTreeMap<RejectionReason, u64>,
    /// Those whose body is damaged, or has a value that the database rejects; they stay kept.
    pub unusable: u64,
}

impl RetryResult {
    /// How many belong into the log.
    pub fn admitted(&self) -> u64 {
        self.accepted + self.quarantined()
    }

    pub fn quarantined(&self) -> u64 {
        self.quarantined.values().sum()
    }

    /// How many are still rejected.
    pub fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Adds the counts of another result.
    fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        for (reason, count) in other.quarantined {
            *self.quarantined.entry(reason).or_default() += count;
        }
        for (reason, count) in other.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
        self.unusable += other.unusable;
    }

    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Accept(_) => self.accepted += 1,
            Verdict::Quarantine(_, reason) => *self.quarantined.entry(*reason).or_default() += 1,
            Verdict::Reject(reason) => *self.rejected.entry(*reason).or_default() += 1,
        }
    }
}

/// Admits kept rejections, by the settings of a process and the installation's key for them.
pub struct Retries<'a> {
    pub admitter: &'a Admitter,
    pub key: &'a SealingKey,
}

/// The results of a dry run, by claimed domain and by the reason of the rejection.
#[derive(Debug, Default)]
pub struct Preview(pub BTreeMap<(String, RejectionReason), RetryResult>);

impl Preview {
    /// Whether a retry would admit none.
    pub fn is_idle(&self) -> bool {
        self.0.values().all(|result| result.admitted() == 0)
    }

    /// The result for all of them.
    pub fn total(self) -> RetryResult {
        let mut total = RetryResult::default();
        self.0.into_values().for_each(|result| total.add(result));
        total
    }
}

impl Retries<'_> {
    /// The verdict on a kept rejection without the log, with its entry unless it is rejected; `None` if its body cannot
    /// be decrypted.
    fn admit(&self, row: &KeptRejectionRow, domain: Option<&Domain>) -> Option<(Verdict, Option<NewEntryRow>)> {
        let body = open_body(row, self.key).ok()?;
        let callback = match received(row, &body, domain) {
            Ok(callback) => callback,
            Err(error) => return Some((Verdict::Reject((&error.problem).into()), None)),
        };
        let (verdict, entry) = self.admitter.admit(&callback, domain);
        let entry = entry.map(|entry| NewEntryRow { event_id: row.rejection_id, retried: true, ..entry });
        Some((verdict, entry))
    }

    /// The content of a kept rejection, with credentials masked.
    pub fn sample(&self, row: &KeptRejectionRow, body: &[u8]) -> Sample {
        match received(row, body, None) {
            Ok(callback) => Sample::of(&callback, row.callback_token_hash.is_some(), &self.admitter.masker),
            Err(error) => Sample::of_unread(&error.problem, row.received_at, source_ip(row)),
        }
    }

    /// The result of a retry, without retrying. Does not look into the log, which may quarantine some more because their
    /// signature was used before. `domain_of` gives the current state of a domain.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn preview<'d>(
        &self,
        pool: &PgPool,
        filter: &RejectionFilter,
        domain_of: impl Fn(&str) -> Option<&'d Domain>,
    ) -> Result<Preview, sqlx::Error> {
        let mut preview = Preview::default();
        let mut pages = Pages::default();
        while let Some(rows) = pages.next(pool, filter).await? {
            for row in rows {
                let admitted = self.admit(&row, domain_of(&row.claimed_domain));
                let result = preview.0.entry((row.claimed_domain, row.cause)).or_default();
                match admitted {
                    Some((verdict, _)) => result.count(&verdict),
                    None => result.unusable += 1,
                }
            }
        }
        Ok(preview)
    }

    /// Admits the kept rejections that match and claim `domain`, in the order of their receipt.
    ///
    /// # Errors
    /// [`RetryError`]; those before may be admitted.
    pub async fn retry(
        &self,
        pool: &PgPool,
        actor: &Actor,
        filter: &RejectionFilter,
        domain: Option<&Domain>,
        now: DateTime<Utc>,
    ) -> Result<RetryResult, RetryError> {
        // The lock is held by the connection that appends: none is left appending when another retry gets it.
        let mut connection = pool.acquire().await?.detach();
        store::kept_rejection::lock_retries(&mut connection).await?;
        let details = json!({ "reason": filter.cause, "from": filter.from, "to": filter.to });
        let subject = Subject { domain: filter.domain.as_deref(), id: None, details: Some(details) };
        audit::record(&mut connection, actor, now, Act::RejectionsRetried, subject).await?;
        let mut log = Log::on(connection, self.admitter.limits);
        let mut result = RetryResult::default();
        let mut pages = Pages::default();
        while let Some(rows) = pages.next(pool, filter).await? {
            let mut entries = Vec::new();
            for row in &rows {
                match self.admit(row, domain) {
                    Some((_, Some(entry))) => entries.push(entry),
                    Some((verdict, None)) => result.count(&verdict),
                    None => result.unusable += 1,
                }
            }
            append(pool, &mut log, entries, &mut result).await?;
        }
        Ok(result)
    }
}

/// The callback as it was received, with the path as its domain reads it now.
fn received(
    row: &KeptRejectionRow,
    body: &[u8],
    domain: Option<&Domain>,
) -> Result<ReceivedCallback, NotANotification> {
    let message = notification::parse(body)?;
    let token = row.callback_token_hash.as_deref().and_then(|hash| hash.try_into().ok());
    let path = domain.map_or(CallbackRoute::Open, |domain| domain.path_of(token));
    Ok(ReceivedCallback { message, path, received_at: row.received_at, source_ip: source_ip(row) })
}

fn source_ip(row: &KeptRejectionRow) -> Option<IpAddr> {
    row.source_ip.as_deref().and_then(|address| address.parse().ok())
}

/// Appends the entries of a batch, and removes those kept rejections that are in the log now.
async fn append(
    pool: &PgPool,
    log: &mut Log,
    mut entries: Vec<NewEntryRow>,
    result: &mut RetryResult,
) -> Result<(), RetryError> {
    let Some(first) = entries.iter().map(|entry| entry.received_at).min() else { return Ok(()) };
    let places: Vec<Place> = entries.iter().map(|entry| (entry.received_at, entry.event_id)).collect();
    let logged = store::log::list_logged_ids(pool, &entries.iter().collect::<Vec<_>>(), first - CLOCK_SKEW).await?;
    let logged: HashSet<Uuid> = logged.into_iter().collect();
    let mut gone: Vec<Place> = places.iter().copied().filter(|(_, id)| logged.contains(id)).collect();
    entries.retain(|entry| !logged.contains(&entry.event_id));
    let appended: Vec<_> = entries.iter().map(|entry| ((entry.received_at, entry.event_id), entry.reason)).collect();
    let entries = entries.into_iter().map(|row| PendingEntry { row, body: None }).collect();
    let Settled { logged, unconfirmed, rejected } = log.append(entries, APPEND_TIMEOUT).await;
    for (number, by_log) in logged {
        let Some((place, reason)) = appended.get(number) else { continue };
        gone.push(*place);
        match by_log.or(*reason) {
            None => {
                result.accepted += 1;
                retried(Disposition::Accepted).increment(1);
            }
            Some(reason) => {
                *result.quarantined.entry(reason).or_default() += 1;
                retried(Disposition::Quarantined).increment(1);
            }
        }
    }
    result.unusable += rejected.len() as u64;
    store::kept_rejection::delete_kept_rejections(pool, &gone).await?;
    if unconfirmed.is_empty() { Ok(()) } else { Err(RetryError::NotConfirmed) }
}

fn retried(disposition: Disposition) -> Counter {
    RETRIED_CALLBACKS.counter_of(&[("disposition", disposition.as_str())])
}

/// Registers the counters, so that they are exported as zero before the first retry.
pub fn initialize_metrics() {
    let _ = (retried(Disposition::Accepted), retried(Disposition::Quarantined));
}

/// Reads kept rejections in the order of their receipt.
#[derive(Default)]
struct Pages {
    after: Option<Place>,
}

impl Pages {
    /// The next ones, or `None` at the end.
    async fn next(
        &mut self,
        pool: &PgPool,
        filter: &RejectionFilter,
    ) -> Result<Option<Vec<KeptRejectionRow>>, sqlx::Error> {
        let rows = store::kept_rejection::list_kept_rejections(pool, filter, self.after, MAX_BATCH).await?;
        let last = rows.last().map(|row| (row.received_at, row.rejection_id));
        self.after = last.or(self.after);
        Ok(last.map(|_| rows))
    }
}
