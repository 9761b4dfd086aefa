//! Retention: how long events and their personal fields are kept.
//!
//! Old events are **redacted** one by one: addresses, `user_args` and unknown members are removed from them and from
//! their sessions. Months are **dropped** as a whole, oldest first, when all their events are old enough; their
//! sessions stay. Both record horizons, which [`rebuild`](super::rebuild) respects.
//!
//! Nothing is redacted before it is folded, nothing is dropped before it is redacted, and the newest month that has
//! events is never dropped. One process at a time does this, in transactions of bounded size, and not while a rebuild
//! runs.

use chrono::{DateTime, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::error::DatabaseError;
use sqlx::{PgConnection, PgPool};

use crate::reconciler::database_clock::ClockError;
use crate::registry::installation::months_ahead;
use crate::store;
use crate::store::retention::EntryRange;

/// The most events that are redacted in one commit; meanwhile their shard is not folded.
const MAX_BATCH: i64 = 5_000;

/// The SQLSTATE when a lock was not acquired in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// How long data is kept; `None`: without a limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct RetentionPolicy {
    pub keep_events: Option<TimeDelta>,
    /// Personal fields of events and sessions; never kept longer than the events.
    pub keep_personal: Option<TimeDelta>,
}

impl RetentionPolicy {
    /// Whether nothing is ever redacted or dropped.
    pub fn keep_all(&self) -> bool {
        self.personal().is_none()
    }

    fn personal(&self) -> Option<TimeDelta> {
        [self.keep_events, self.keep_personal].into_iter().flatten().min()
    }
}

/// What a run of retention did, and why it left something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retained {
    pub redacted: i64,
    /// The months that were dropped, each as its first day.
    pub dropped: Vec<NaiveDate>,
    pub left: Option<Left>,
}

/// Why data that is due is kept for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Another process runs retention, or a rebuild runs.
    Busy,
    /// A long read of the log holds a lock, and appends would have had to wait behind retention.
    InUse,
    /// Not all events of the month are folded.
    NotFolded,
    /// The age of events is unknown.
    WrongClock(ClockError),
}

/// Redacts and drops what is old enough at `now`, by the database's clock.
///
/// # Errors
/// Those of the database; commits before the error remain.
pub async fn retain(pool: &PgPool, rules: &RetentionPolicy, now: DateTime<Utc>) -> Result<Retained, sqlx::Error> {
    let mut retained = Retained::default();
    if let Some(keep_personal) = rules.personal() {
        redact(pool, now - keep_personal, &mut retained).await?;
    }
    if let (Some(keep_events), None) = (rules.keep_events, retained.left) {
        drop_months(pool, now - keep_events, &mut retained).await?;
    }
    Ok(retained)
}

/// Redacts all folded events that were recorded before a time.
async fn redact(pool: &PgPool, recorded_before: DateTime<Utc>, retained: &mut Retained) -> Result<(), sqlx::Error> {
    for horizon in store::retention::list_horizons(pool).await? {
        loop {
            let Some(redacted) = redact_some(pool, horizon.shard, recorded_before).await? else {
                retained.left = Some(Left::Busy);
                return Ok(());
            };
            retained.redacted += redacted;
            if redacted < MAX_BATCH {
                break;
            }
        }
    }
    if retained.redacted > 0 {
        tracing::info!(entries = retained.redacted, "personal fields of old events were redacted");
    }
    Ok(())
}

/// Redacts the next events of a shard; returns their number, or `None` when another process holds the lock.
async fn redact_some(pool: &PgPool, shard: i16, recorded_before: DateTime<Utc>) -> Result<Option<i64>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let redacted = redact_within(&mut transaction, shard, recorded_before).await?;
    // Commits even if nothing has changed, to release the locks at once.
    transaction.commit().await?;
    Ok(redacted)
}

async fn redact_within(
    connection: &mut PgConnection,
    shard: i16,
    recorded_before: DateTime<Utc>,
) -> Result<Option<i64>, sqlx::Error> {
    if !store::retention::try_lock_retention(&mut *connection).await? {
        return Ok(None);
    }
    // The same lock as folding takes: a concurrent fold would write the redacted fields back.
    let unredacted = store::retention::lock_unredacted(&mut *connection, shard).await?;
    let after = unredacted.redacted;
    let last = unredacted.folded.min(after + MAX_BATCH);
    let range = EntryRange { shard, after, last, recorded_before };
    let Some(last) = store::retention::get_last_position(&mut *connection, range).await? else { return Ok(Some(0)) };
    let range = EntryRange { last, ..range };
    store::retention::redact_sessions(&mut *connection, range).await?;
    store::retention::redact_entries(&mut *connection, range).await?;
    store::retention::update_personal_position(connection, shard, last).await?;
    Ok(Some(last - after))
}

/// Drops each month that ended before a time, oldest first, up to the first that must stay.
async fn drop_months(pool: &PgPool, until: DateTime<Utc>, retained: &mut Retained) -> Result<(), sqlx::Error> {
    let Some(newest) = store::retention::get_newest_recorded_at(pool).await? else { return Ok(()) };
    let months = store::partition::list_log_months(pool).await?;
    // `take_while`: dropping a later month before an earlier one would leave a gap in the log.
    for month in months.into_iter().take_while(|month| is_over(*month, until.min(newest))) {
        match drop_month(pool, month).await {
            Ok(entries) => {
                tracing::info!(%month, entries, "a month of the log was dropped");
                retained.dropped.push(month);
            }
            Err(Stays::Left(left)) => {
                if left == Left::NotFolded {
                    tracing::warn!(
                        %month,
                        "a month of the log is due to be dropped, but is not completely folded: see /readyz"
                    );
                }
                retained.left = Some(left);
                break;
            }
            Err(Stays::Failed(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Drops the empty months after those that are created ahead, newest first: a clock that was ahead has left them. A
/// month in use stays.
pub async fn drop_unused_months(pool: &PgPool, now: DateTime<Utc>) -> Result<Vec<NaiveDate>, sqlx::Error> {
    let last = months_ahead(now).last().unwrap_or_default();
    let mut dropped = Vec::new();
    for month in store::partition::list_log_months(pool).await?.into_iter().rev().take_while(|month| *month > last) {
        // Events of the future are not redacted, so a month that has any stays.
        match drop_month(pool, month).await {
            Ok(_) => dropped.push(month),
            Err(Stays::Left(_)) => {}
            Err(Stays::Failed(error)) => return Err(error),
        }
    }
    Ok(dropped)
}

/// Why a month was not dropped.
enum Stays {
    Left(Left),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Stays {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(DatabaseError::code);
        if code.is_some_and(|code| code == LOCK_NOT_AVAILABLE) { Self::Left(Left::InUse) } else { Self::Failed(error) }
    }
}

async fn drop_month(pool: &PgPool, month: NaiveDate) -> Result<i64, Stays> {
    let mut transaction = pool.begin().await?;
    let dropped = drop_within(&mut transaction, month).await;
    // Ends the transaction in both cases, to release the locks at once.
    match dropped {
        Ok(_) => transaction.commit().await?,
        Err(_) => transaction.rollback().await?,
    }
    dropped
}

async fn drop_within(connection: &mut PgConnection, month: NaiveDate) -> Result<i64, Stays> {
    if !store::retention::try_lock_retention(&mut *connection).await? {
        return Err(Stays::Left(Left::Busy));
    }
    store::retention::set_impatient(&mut *connection).await?;
    store::partition::lock_partitions(&mut *connection).await?;
    // First, as no append waits behind this lock: a vacuum of the month can hold it for long.
    store::partition::lock_log_partition(&mut *connection, month).await?;
    // From here to the commit nothing is appended, so the month is complete even if the clock is wrong.
    store::retention::lock_log(&mut *connection).await?;
    let last = store::retention::list_last_entries(&mut *connection, start_of(month), start_of(next(month))).await?;
    if last.iter().any(|entry| entry.position > entry.redacted) {
        return Err(Stays::Left(Left::NotFolded));
    }
    store::retention::update_horizons(&mut *connection, &last).await?;
    store::partition::drop_log_partition(connection, month).await?;
    Ok(last.iter().map(|entry| entry.position - entry.dropped).sum())
}

fn is_over(month: NaiveDate, at: DateTime<Utc>) -> bool {
    start_of(next(month)) <= at
}

fn next(month: NaiveDate) -> NaiveDate {
    month + Months::new(1)
}

fn start_of(month: NaiveDate) -> DateTime<Utc> {
    month.and_time(NaiveTime::MIN).and_utc()
}
