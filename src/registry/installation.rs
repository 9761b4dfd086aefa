//! Prepares the database: schema, shards, the check of the master key, partitions of the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use sqlx::migrate::{Migrate, MigrateError};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use super::master_key::{MasterKey, MasterKeyError, SealingKey};
use super::master_keys::MasterKeys;
use crate::store;
use crate::store::installation::InstallationRow;

/// Default number of shards of a new installation.
pub const SHARDS: i16 = 16;

/// Maximum number of shards.
pub const MOST_SHARDS: i16 = 1_024;

/// For how many months after the current one partitions are created in advance.
const MONTHS_AHEAD: u32 = 2;

#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    #[error("failed to update the schema")]
    Migration(#[from] MigrateError),
    #[error("failed to prepare the database")]
    Database(#[from] sqlx::Error),
    #[error(
        "the schema of the database is of a newer version than this program ({}): use that version, or restore a backup from \
         before the upgrade",
        env!("CARGO_PKG_VERSION")
    )]
    NewerSchema,
    #[error(
        "the database was created by a version before 0.1.0, which cannot be upgraded: use that version, or an empty database or \
         data folder"
    )]
    UnreleasedSchema,
    /// The master key is missing or wrong.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
}

impl InstallationError {
    /// Whether the database is unreachable or temporarily unable to do this.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) | Self::Migration(MigrateError::Execute(error)) => store::is_transient(error),
            Self::Migration(_) | Self::NewerSchema | Self::UnreleasedSchema | Self::MasterKey(_) => false,
        }
    }
}

/// The installation's master key; `None` if the database has no installation. Changes nothing, and works with a schema
/// of any version.
///
/// # Errors
/// [`MasterKeyError`] if the key is not among the known ones.
pub async fn find_master_key(pool: &PgPool, keys: &MasterKeys) -> Result<Option<Arc<MasterKey>>, InstallationError> {
    let check = store::installation::get_master_key_check(pool).await?;
    Ok(check.map(|check| keys.find(&check)).transpose()?)
}

/// Whether an installation has all migrations of this program, and not only some.
///
/// # Errors
/// [`InstallationError::NewerSchema`] if it has others, [`InstallationError::UnreleasedSchema`] if a migration has changed since
/// it was applied: the migrations of a release never change.
pub async fn is_up_to_date(pool: &PgPool) -> Result<bool, InstallationError> {
    let applied = pool.acquire().await?.list_applied_migrations(&store::MIGRATOR.table_name).await?;
    for applied in &applied {
        let known = store::MIGRATOR.iter().find(|known| known.version == applied.version);
        let known = known.ok_or(InstallationError::NewerSchema)?;
        if known.checksum != applied.checksum {
            return Err(InstallationError::UnreleasedSchema);
        }
    }
    Ok(applied.len() == store::MIGRATOR.iter().count())
}

/// Updates the schema and creates the missing parts of the installation.
///
/// `shards` is the number of shards of a new installation. An existing one keeps its number.
///
/// # Errors
/// [`InstallationError`]; if the master key of an existing installation is unknown, before anything is changed.
pub async fn prepare(
    pool: &PgPool,
    keys: &MasterKeys,
    shards: i16,
    now: DateTime<Utc>,
) -> Result<InstallationRow, InstallationError> {
    let master_key = match find_master_key(pool, keys).await? {
        Some(master_key) => {
            // Its errors say more than those of the migrator.
            is_up_to_date(pool).await?;
            master_key
        }
        None => keys.present()?.ok_or(MasterKeyError::Missing)?,
    };
    bring_up_to_date(pool).await?;
    let mut transaction = pool.begin().await?;
    let check = master_key.check();
    let installation_id = Uuid::new_v4();
    let rejection_key = master_key.seal_rejection_key(installation_id, &SealingKey::generate());
    store::installation::insert_installation(&mut *transaction, installation_id, shards, &check, &rejection_key, now)
        .await?;
    let installation =
        store::installation::get_installation(&mut *transaction).await?.ok_or(sqlx::Error::RowNotFound)?;
    // Another process may have created the installation in the meantime.
    keys.find(&installation.master_key_check)?;
    store::installation::insert_shards(&mut *transaction, installation.shards).await?;
    transaction.commit().await?;
    make_partitions_ahead(&mut *pool.acquire().await?, now).await?;
    Ok(installation)
}

/// Migrations have no time limit, unlike all other work of the service.
async fn bring_up_to_date(pool: &PgPool) -> Result<(), InstallationError> {
    let mut connection = pool.acquire().await?.detach();
    store::pool::set_no_time_limit(&mut connection).await?;
    // The same as `run`, whose future is not `Send`.
    store::MIGRATOR.run_direct(None, &mut connection, false).await?;
    connection.close().await?;
    Ok(())
}

/// Creates the log's partitions for the current and the next months, and for the months of shard heads that are later.
///
/// `now` is the service's clock. Events are recorded with the database's clock, but if that clock is wrong, no
/// partitions are created for its time: callbacks wait in the spool until it is right, instead of being recorded in the
/// distant future.
pub async fn make_partitions_ahead(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let heads = store::partition::list_heads_after(&mut *connection, now).await?;
    let months: BTreeSet<NaiveDate> = months_ahead(now).chain(heads.into_iter().map(month_of)).collect();
    make_partitions(connection, months).await
}

/// The first days of the months whose partitions are created in advance, starting with the current month.
pub fn months_ahead(now: DateTime<Utc>) -> impl Iterator<Item = NaiveDate> {
    (0..=MONTHS_AHEAD).map(move |ahead| month_of(now) + Months::new(ahead))
}

/// Creates the log's missing partitions for these months, given by their first days.
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

/// The first day of the month whose partition holds an event recorded at this time.
pub fn month_of(recorded_at: DateTime<Utc>) -> NaiveDate {
    let day = recorded_at.date_naive();
    day.with_day(1).unwrap_or(day)
}
