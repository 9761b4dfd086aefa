//! Making the database ready: schema, shards, the check of the master key, partitions of the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use sqlx::migrate::{Migrate, MigrateError};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use super::master_key::{MasterKey, MasterKeyError};
use super::master_keys::MasterKeys;
use crate::store;
use crate::store::installation::InstallationRow;

/// How many shards a new installation has, unless it is said.
pub const SHARDS: i16 = 16;

/// How many it can have.
pub const MOST_SHARDS: i16 = 1_024;

/// How many months beyond this one have their partition made ahead.
const MONTHS_AHEAD: u32 = 2;

/// Why the database cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// The schema cannot be brought up to date.
    #[error("the schema cannot be brought up to date")]
    Migration(#[from] MigrateError),
    /// The database failed.
    #[error("the database cannot be made ready")]
    Database(#[from] sqlx::Error),
    /// The master key is missing, or not the installation's.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
}

impl InstallationError {
    /// Whether the database could not be reached, or cannot do it at the moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) | Self::Migration(MigrateError::Execute(error)) => store::is_transient(error),
            Self::Migration(_) | Self::MasterKey(_) => false,
        }
    }
}

/// The installation's master key; `None` when the database has no installation. Changes nothing, and reads a schema of
/// any version.
///
/// # Errors
/// [`MasterKeyError`] when it is not among the keys that are known.
pub async fn find_master_key(pool: &PgPool, keys: &MasterKeys) -> Result<Option<Arc<MasterKey>>, InstallationError> {
    let check = store::installation::get_master_key_check(pool).await?;
    Ok(check.map(|check| keys.find(&check)).transpose()?)
}

/// Whether the schema is that of this version.
pub async fn is_up_to_date(pool: &PgPool) -> Result<bool, InstallationError> {
    let applied = pool.acquire().await?.list_applied_migrations(&store::MIGRATOR.table_name).await?;
    let applied = applied.iter().map(|migration| migration.version);
    Ok(applied.eq(store::MIGRATOR.iter().map(|migration| migration.version)))
}

/// Brings the schema up to date and makes what an installation starts with. Changes nothing when all is there.
///
/// `shards` says how many a new installation has; one that is there keeps those that it was made with.
///
/// # Errors
/// [`InstallationError`]; [`MasterKeyError`] in it, before anything has changed, when the key of an installation that is
/// there is not known.
pub async fn prepare(
    pool: &PgPool,
    keys: &MasterKeys,
    shards: i16,
    now: DateTime<Utc>,
) -> Result<InstallationRow, InstallationError> {
    let master_key = match find_master_key(pool, keys).await? {
        Some(master_key) => master_key,
        None => keys.present()?.ok_or(MasterKeyError::Missing)?,
    };
    bring_up_to_date(pool).await?;
    let mut transaction = pool.begin().await?;
    let check = master_key.check();
    store::installation::insert_installation(&mut *transaction, Uuid::new_v4(), shards, &check, now).await?;
    let installation =
        store::installation::get_installation(&mut *transaction).await?.ok_or(sqlx::Error::RowNotFound)?;
    // Another process may have made the installation meanwhile.
    keys.find(&installation.master_key_check)?;
    store::installation::insert_shards(&mut *transaction, installation.shards).await?;
    transaction.commit().await?;
    make_partitions_ahead(&mut *pool.acquire().await?, now).await?;
    Ok(installation)
}

/// Migrations may take as long as they need, unlike the service's other work.
async fn bring_up_to_date(pool: &PgPool) -> Result<(), InstallationError> {
    let mut connection = pool.acquire().await?.detach();
    store::pool::set_no_time_limit(&mut connection).await?;
    // As `run` does, whose own future cannot be moved between threads.
    store::MIGRATOR.run_direct(None, &mut connection, false).await?;
    connection.close().await?;
    Ok(())
}

/// Makes the log's partitions for this month and the next ones, and for the months of heads that lie further ahead.
///
/// `now` is the service's clock. The database's clock stamps the entries, but a wrong one does not get partitions of its
/// own: callbacks wait in the spool until it is right, instead of being recorded in a distant future.
pub async fn make_partitions_ahead(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let heads = store::partition::list_heads_after(&mut *connection, now).await?;
    let months: BTreeSet<NaiveDate> = months_ahead(now).chain(heads.into_iter().map(month_of)).collect();
    make_partitions(connection, months).await
}

/// The months that have a partition made ahead, this one first, each as its first day.
pub fn months_ahead(now: DateTime<Utc>) -> impl Iterator<Item = NaiveDate> {
    (0..=MONTHS_AHEAD).map(move |ahead| month_of(now) + Months::new(ahead))
}

/// Makes the log's partitions for months, each told by its first day, where they are not there.
pub async fn make_partitions(
    connection: &mut PgConnection,
    months: impl IntoIterator<Item = NaiveDate>,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    store::partition::lock_partitions(&mut *transaction).await?;
    for month in months {
        if !store::partition::has_log_partition(&mut *transaction, month).await? {
            store::partition::create_log_partition(&mut transaction, month).await?;
        }
    }
    transaction.commit().await
}

/// The first day of the month whose partition holds what is recorded then.
pub fn month_of(recorded_at: DateTime<Utc>) -> NaiveDate {
    let day = recorded_at.date_naive();
    day.with_day(1).unwrap_or(day)
}
