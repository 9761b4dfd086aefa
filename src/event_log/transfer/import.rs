//! Imports an exported log into an installation.

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

/// Why an import failed or stopped. Events that were appended before stay.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line cannot be read.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// A line violates a rule of the log.
    #[error("line {line} cannot be imported: {unfit}")]
    Unfit {
        /// Line number, from 1.
        line: u64,
        unfit: Unfit,
    },
    /// The database rejects an event.
    #[error("line {line} cannot be imported: the database rejects it ({rule})")]
    Rejected {
        /// Line number, from 1.
        line: u64,
        /// The violated rule: a constraint's name or an SQLSTATE.
        rule: String,
    },
    /// The number of shards is incompatible.
    #[error(
        "the log has {log} shards and this installation {installation}, which cannot be changed; import into a new one, \
         created with `migrate --shards` {log} or a multiple of it"
    )]
    Shards { log: i16, installation: i16 },
    /// The installation is not a copy of the exported one.
    #[error(
        "line {line} conflicts with this installation, which has received events that are not in the export; import \
         into one that has received nothing"
    )]
    OtherLog {
        /// Line number, from 1.
        line: u64,
    },
    /// A report has fixed a later `as_of`.
    #[error(
        "line {line} cannot be imported: this installation has made reports as of a later time, which must not \
         change; import into one that has made no reports"
    )]
    Reported {
        /// Line number, from 1.
        line: u64,
    },
    /// There are fewer events than the header says.
    #[error("the log ends after {found} of {expected} events: they are imported; import the whole file to continue")]
    Truncated { expected: u64, found: u64 },
    /// There are more events than the header says.
    #[error("the log has more than the {expected} events that its header says: lines were added to it")]
    TooMany { expected: u64 },
    /// Another import, inference or retention holds a lock.
    #[error("another import, inference or retention is running on this database; try again later")]
    Busy(#[source] sqlx::Error),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    pub appended: u64,
    pub known: u64,
}

/// Appends the events of an export as they were recorded. Inference and retention wait.
///
/// `progress` is called with the number of events read.
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
    /// Position of the last event read, by shard of the export.
    read: HashMap<i16, i64>,
    /// The last event read, by shard of this installation.
    placed: HashMap<i16, ProgressRow>,
    months: HashSet<NaiveDate>,
    /// Position of the last event that this installation has dropped, by shard.
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

    /// Checks an event, and assigns its shard and position in this installation.
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

    /// Appends a shard's events. When the database rejects a value, they are halved until the rejected event is found.
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

    /// Appends the events of a shard that this installation does not have yet, in one commit, and returns their number.
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

/// Checks that the events that this installation already has are those of the export.
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

/// The rule that a value violates. Not the database's message, which quotes the value.
fn rule_of(error: &sqlx::Error) -> String {
    let error = error.as_database_error();
    let constraint = error.and_then(DatabaseError::constraint).map(str::to_owned);
    constraint.or_else(|| error?.code().map(Into::into)).unwrap_or_default()
}
