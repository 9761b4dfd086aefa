//! How long the log is kept, and what is personal in it.
//!
//! Entries are **redacted** one by one when they are old enough: addresses, `user_args`, and members that are not known go,
//! from them and from the sessions that they are about. Months are **dropped** as a whole, oldest first, when all of them is old
//! enough; the sessions that came of them stay. [`rebuild`](super::rebuild) goes by the horizons that are kept of both.
//!
//! Nothing is redacted before it is folded, nothing is dropped before it is redacted, and the newest month that holds
//! anything is never dropped. All of it is done by one process at a time, in transactions of a bounded size, and not
//! while a rebuild runs.

use chrono::{DateTime, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::error::DatabaseError;
use sqlx::{PgConnection, PgPool};

use crate::reconciler::database_clock::ClockError;
use crate::registry::installation::months_ahead;
use crate::store;
use crate::store::retention::EntryRange;

/// The most entries that are redacted in one commit, while which their shard is not folded.
const MAX_BATCH: i64 = 5_000;

/// What the database says when a lock is not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// How long what is kept; `None` for ever.
#[derive(Debug, Clone, Copy, Default)]
pub struct RetentionPolicy {
    pub keep_events: Option<TimeDelta>,
    /// What is personal in them and in sessions; no longer than the entries.
    pub keep_personal: Option<TimeDelta>,
}

impl RetentionPolicy {
    /// Whether nothing ever goes.
    pub fn keep_all(&self) -> bool {
        self.personal().is_none()
    }

    fn personal(&self) -> Option<TimeDelta> {
        [self.keep_events, self.keep_personal].into_iter().flatten().min()
    }
}

/// What was done, and what was left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retained {
    pub redacted: i64,
    /// The months that were dropped, each as its first day.
    pub dropped: Vec<NaiveDate>,
    pub left: Option<Left>,
}

/// Why something that is due is left for later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Another process is at it, or a rebuild runs.
    Busy,
    /// Somebody reads the log for so long that appends would have had to wait.
    InUse,
    /// Not all entries of the month are folded.
    NotFolded,
    /// How old entries are cannot be told.
    WrongClock(ClockError),
}

/// Redacts and drops what is old enough at `now`, which is the database's clock.
///
/// # Errors
/// Those of the database; then what was done until then is done.
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

/// Redacts all that was recorded before a time, and is folded.
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

/// Redacts the next entries of a shard; gives their number, or `None` when others are at it.
async fn redact_some(pool: &PgPool, shard: i16, recorded_before: DateTime<Utc>) -> Result<Option<i64>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let redacted = redact_within(&mut transaction, shard, recorded_before).await?;
    // Even if nothing has changed: the locks go at once.
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
    // As folding does: who folds these sessions now would write back what is redacted.
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

/// Drops each month that ended until a time, oldest first, up to the first that has to stay.
async fn drop_months(pool: &PgPool, until: DateTime<Utc>, retained: &mut Retained) -> Result<(), sqlx::Error> {
    let Some(newest) = store::retention::get_newest_recorded_at(pool).await? else { return Ok(()) };
    let months = store::partition::list_log_months(pool).await?;
    // Were a later month dropped before an earlier one, the log would have a hole.
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

/// Drops the months in the future that are not made ahead and hold nothing, newest first: a clock that was ahead has left
/// them. One that is in use stays.
pub async fn drop_unused_months(pool: &PgPool, now: DateTime<Utc>) -> Result<Vec<NaiveDate>, sqlx::Error> {
    let last = months_ahead(now).last().unwrap_or_default();
    let mut dropped = Vec::new();
    for month in store::partition::list_log_months(pool).await?.into_iter().rev().take_while(|month| *month > last) {
        // Entries of the future are not redacted, so that a month with any of them stays.
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

/// Drops a month; gives the number of its entries.
async fn drop_month(pool: &PgPool, month: NaiveDate) -> Result<i64, Stays> {
    let mut transaction = pool.begin().await?;
    let dropped = drop_within(&mut transaction, month).await;
    // Either way the locks go at once.
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
    // First, as nobody waits behind it: a vacuum of the month can take long.
    store::partition::lock_log_partition(&mut *connection, month).await?;
    // From here to the end nothing is appended, whatever the clock says: what the month holds now is all.
    store::retention::lock_log(&mut *connection).await?;
    let last = store::retention::list_last_entries(&mut *connection, start_of(month), start_of(next(month))).await?;
    if last.iter().any(|entry| entry.position > entry.redacted) {
        return Err(Stays::Left(Left::NotFolded));
    }
    store::retention::update_horizons(&mut *connection, &last).await?;
    store::partition::drop_log_partition(connection, month).await?;
    Ok(last.iter().map(|entry| entry.position - entry.dropped).sum())
}

/// Whether a month was over at a time.
fn is_over(month: NaiveDate, at: DateTime<Utc>) -> bool {
    start_of(next(month)) <= at
}

fn next(month: NaiveDate) -> NaiveDate {
    month + Months::new(1)
}

fn start_of(month: NaiveDate) -> DateTime<Utc> {
    month.and_time(NaiveTime::MIN).and_utc()
}
