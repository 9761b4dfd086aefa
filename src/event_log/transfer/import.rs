//! Into an installation.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::error::DatabaseError;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::io::AsyncRead;

use super::BATCH;
use super::check::{Unfit, check};
use super::line::{Header, Lines, LinesError, Numbered};
use crate::registry::installation::{make_partitions, month_of};
use crate::store;
use crate::store::fold::ProgressRow;
use crate::store::transfer::RecordedEntryRow;

/// Why a log cannot be imported, or no further. What came before stays imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line cannot be read.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// A line does not fit.
    #[error("line {line} cannot be imported: {unfit}")]
    Unfit {
        /// Which one, from 1.
        line: u64,
        unfit: Unfit,
    },
    /// The database does not take an entry.
    #[error("line {line} cannot be imported: the database refuses it ({rule})")]
    Rejected {
        /// Which one, from 1.
        line: u64,
        /// The rule that it breaks: a constraint's name or an SQLSTATE.
        rule: String,
    },
    /// The number of shards does not fit.
    #[error(
        "the log is of {log} shards, this installation has {installation}, for good: import into a new one, made with \
         `migrate --shards` {log} or a multiple of it"
    )]
    Shards { log: i16, installation: i16 },
    /// The installation is no copy of the one that was exported.
    #[error(
        "line {line} has no place here: this installation has received something that the log does not know. Import \
         into one that has received nothing"
    )]
    OtherLog {
        /// Which one, from 1.
        line: u64,
    },
    /// A moment was closed.
    #[error(
        "line {line} has no place here: this installation has been asked for reports of a later moment, which it must \
         not change. Import into one that was not asked for any"
    )]
    Reported {
        /// Which one, from 1.
        line: u64,
    },
    /// There are fewer lines than the first one says.
    #[error("the log ends after {found} of {expected} entries: they are imported; import the whole of it to go on")]
    Truncated { expected: u64, found: u64 },
    /// There are more lines than the first one says.
    #[error("the log goes on after its {expected} entries: something was added to it")]
    TooMany { expected: u64 },
    /// The log cannot be kept from changing.
    #[error("another import is running, or the service is busy with the log; try again in a while")]
    Busy(#[source] sqlx::Error),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    pub appended: u64,
    pub known: u64,
}

/// Appends the entries of an export as they were recorded. Nothing is inferred or dropped meanwhile.
///
/// `progress` is told how many entries have been read.
pub async fn import<Source: AsyncRead + Unpin>(
    pool: &PgPool,
    header: &Header,
    lines: Lines<Source>,
    progress: impl Fn(u64),
) -> Result<Imported, ImportError> {
    let mut connection = pool.acquire().await?.detach();
    store::inference::lock_inference(&mut connection).await.map_err(ImportError::Busy)?;
    store::retention::lock_retention(&mut connection).await.map_err(ImportError::Busy)?;
    let installation = store::installation::get_installation(pool).await?.ok_or(sqlx::Error::RowNotFound)?;
    if installation.shards % header.shards != 0 {
        return Err(ImportError::Shards { log: header.shards, installation: installation.shards });
    }
    let horizons = store::retention::list_horizons(&mut connection).await?;
    let importer = Importer {
        connection: &mut connection,
        log_shards: header.shards,
        shards: installation.shards,
        now: store::partition::get_database_time(pool).await?,
        read: HashMap::new(),
        placed: HashMap::new(),
        months: HashSet::new(),
        dropped: horizons.into_iter().map(|horizon| (horizon.shard, horizon.position)).collect(),
        imported: Imported { appended: 0, known: 0 },
    };
    let done = importer.import(lines, progress).await?;
    let found = done.appended + done.known;
    match found.cmp(&header.entries) {
        Ordering::Less => return Err(ImportError::Truncated { expected: header.entries, found }),
        Ordering::Greater => return Err(ImportError::TooMany { expected: header.entries }),
        Ordering::Equal => {}
    }
    connection.close().await?;
    Ok(done)
}

struct Importer<'a> {
    connection: &'a mut PgConnection,
    log_shards: i16,
    shards: i16,
    now: DateTime<Utc>,
    /// Position of the last entry that was read, by the log's shards.
    read: HashMap<i16, i64>,
    /// The last entry that was read, by this installation's shards.
    placed: HashMap<i16, ProgressRow>,
    months: HashSet<NaiveDate>,
    /// Position of the last entry that this installation had, and has dropped, by its shards.
    dropped: HashMap<i16, i64>,
    imported: Imported,
}

impl Importer<'_> {
    async fn import<Source: AsyncRead + Unpin>(
        mut self,
        mut lines: Lines<Source>,
        progress: impl Fn(u64),
    ) -> Result<Imported, ImportError> {
        loop {
            let batch = lines.next_entries(BATCH).await?;
            if batch.is_empty() {
                return Ok(self.imported);
            }
            let mut of_shards = BTreeMap::<i16, Vec<Numbered>>::new();
            for mut numbered in batch {
                let line = numbered.line;
                self.place(&mut numbered.entry).map_err(|unfit| ImportError::Unfit { line, unfit })?;
                of_shards.entry(numbered.entry.shard).or_default().push(numbered);
            }
            for of_shard in of_shards.into_values() {
                self.make_partitions(&of_shard).await?;
                self.put(of_shard).await?;
            }
            progress(self.imported.appended + self.imported.known);
        }
    }

    /// Gives an entry its place in this installation.
    fn place(&mut self, entry: &mut RecordedEntryRow) -> Result<(), Unfit> {
        let stream = check(entry, self.log_shards, self.now)?;
        let read = self.read.entry(entry.shard).or_default();
        if entry.position != *read + 1 {
            return Err(if *read == 0 && entry.position > 1 { Unfit::Beginning } else { Unfit::Position });
        }
        *read = entry.position;
        let shard = stream.shard(self.shards);
        let before = self.placed.get(&shard);
        if before.is_some_and(|before| entry.recorded_at < before.recorded_at) {
            return Err(Unfit::Disorder);
        }
        let position = before.map_or(0, |before| before.position) + 1;
        self.placed.insert(shard, ProgressRow { shard, position, recorded_at: entry.recorded_at });
        (entry.shard, entry.position) = (shard, position);
        Ok(())
    }

    async fn make_partitions(&mut self, entries: &[Numbered]) -> Result<(), sqlx::Error> {
        for Numbered { entry, .. } in entries {
            let month = month_of(entry.recorded_at);
            if self.months.insert(month) {
                make_partitions(&mut *self.connection, [month]).await?;
            }
        }
        Ok(())
    }

    /// Puts a shard's entries where they belong. When the database rejects something, they are halved until that is found.
    async fn put(&mut self, entries: Vec<Numbered>) -> Result<(), ImportError> {
        let mut turns = vec![entries];
        while let Some(mut turn) = turns.pop() {
            match self.try_put(&turn).await {
                Ok(appended) => {
                    self.imported.appended += appended as u64;
                    self.imported.known += (turn.len() - appended) as u64;
                }
                Err(ImportError::Database(error)) if store::is_data_error(&error) => {
                    let line = turn.first().map(|first| first.line).unwrap_or_default();
                    if turn.len() == 1 {
                        return Err(ImportError::Rejected { line, rule: rule_of(&error) });
                    }
                    let second_half = turn.split_off(turn.len() / 2);
                    turns.extend([second_half, turn]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Appends those of a shard's entries that are not here yet, all in one commit, and gives their number.
    async fn try_put(&mut self, entries: &[Numbered]) -> Result<usize, ImportError> {
        let Some(Numbered { entry: first, .. }) = entries.first() else { return Ok(0) };
        let mut transaction = self.connection.begin().await?;
        let head = store::transfer::lock_head(&mut *transaction, first.shard).await?;
        let (known, new) = entries.split_at(entries.partition_point(|known| known.entry.position <= head.position));
        let dropped = self.dropped.get(&first.shard).copied().unwrap_or_default();
        let kept = known.partition_point(|known| known.entry.position <= dropped);
        compare(&mut transaction, known.get(kept..).unwrap_or_default()).await?;
        if let (Some(first), Some(last)) = (new.first(), new.last()) {
            if first.entry.recorded_at < head.recorded_at {
                return Err(ImportError::Reported { line: first.line });
            }
            let new: Vec<_> = new.iter().map(|new| &new.entry).collect();
            store::transfer::insert_recorded_entries(&mut *transaction, &new).await?;
            let RecordedEntryRow { shard, position, recorded_at, .. } = last.entry;
            store::transfer::update_head(&mut *transaction, ProgressRow { shard, position, recorded_at }).await?;
        }
        transaction.commit().await?;
        Ok(new.len())
    }
}

/// Sees that what is here of a shard is what the log has.
async fn compare(connection: &mut PgConnection, known: &[Numbered]) -> Result<(), ImportError> {
    let (Some(first), Some(last)) = (known.first(), known.last()) else { return Ok(()) };
    let positions = (first.entry.position, last.entry.position);
    let recorded = (first.entry.recorded_at, last.entry.recorded_at);
    let here = store::transfer::list_event_ids(connection, first.entry.shard, positions, recorded).await?;
    let other = known.iter().zip(here.iter().map(Some).chain(std::iter::repeat(None)));
    match other.into_iter().find(|(known, here)| *here != Some(&known.entry.event_id)) {
        Some((known, _)) => Err(ImportError::OtherLog { line: known.line }),
        None => Ok(()),
    }
}

/// The rule that a value breaks. Not in the database's own words, which quote it.
fn rule_of(error: &sqlx::Error) -> String {
    let error = error.as_database_error();
    let constraint = error.and_then(DatabaseError::constraint).map(str::to_owned);
    constraint.or_else(|| error?.code().map(Into::into)).unwrap_or_default()
}
