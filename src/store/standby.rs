//! A file on this machine's disk, for what the service needs while the database is away: messages that wait for it, and
//! a copy of the registry. `SQLite` keeps it: what was written survives a crash, or was not written.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqliteExecutor};

const SCHEMA: &str = "
    create table if not exists spooled_batch (
        batch_id integer primary key autoincrement,
        messages integer not null,
        body     text    not null
    ) strict;
    -- Messages that the database refused when they were drained: kept, and in nobody's way.
    create table if not exists refused_message (
        message_id integer primary key autoincrement,
        body       text    not null
    ) strict;
    create table if not exists registry_copy (
        only_row integer primary key check (only_row = 1),
        body     text    not null
    ) strict";

/// Messages that were spooled together.
#[derive(Clone, sqlx::FromRow)]
pub struct SpooledBatchRow {
    /// Grows from batch to batch.
    pub batch_id: i64,
    /// How many messages it holds.
    pub messages: i64,
    /// The messages, as JSON.
    pub body: String,
}

/// What waits for the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct SpooledTotalsRow {
    /// Spooled messages.
    pub messages: i64,
    /// Bytes that they take.
    pub bytes: i64,
    /// Messages that were refused when they were drained.
    pub refused_messages: i64,
}

/// Opens the file, which may be empty. It is this process's alone until it is closed.
///
/// Every commit is synced.
///
/// # Errors
/// When it cannot be used, or another process has it (see [`is_taken`]).
pub async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::ZERO);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
    Ok(connection)
}

/// Whether opening failed because another process has the file.
#[must_use]
pub fn is_taken(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: &str = "5";
    error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code == SQLITE_BUSY))
}

/// Adds a batch.
///
/// # Errors
/// Those of the file; then nothing was added.
pub async fn insert_batch(executor: impl SqliteExecutor<'_>, messages: i64, body: &str) -> Result<(), sqlx::Error> {
    let insert = "insert into spooled_batch (messages, body) values (?, ?)";
    sqlx::query(insert).bind(messages).bind(body).execute(executor).await?;
    Ok(())
}

/// The first batch after this one.
///
/// # Errors
/// Those of the file.
pub async fn get_batch_after(
    executor: impl SqliteExecutor<'_>,
    batch_id: i64,
) -> Result<Option<SpooledBatchRow>, sqlx::Error> {
    let select = "select batch_id, messages, body from spooled_batch where batch_id > ? order by batch_id limit 1";
    sqlx::query_as(select).bind(batch_id).fetch_optional(executor).await
}

/// Removes a batch and all before it.
///
/// # Errors
/// Those of the file; then nothing was removed.
pub async fn delete_batches_through(executor: impl SqliteExecutor<'_>, batch_id: i64) -> Result<(), sqlx::Error> {
    sqlx::query("delete from spooled_batch where batch_id <= ?").bind(batch_id).execute(executor).await?;
    Ok(())
}

/// Keeps a message that the database refused.
///
/// # Errors
/// Those of the file.
pub async fn insert_refused_message(executor: impl SqliteExecutor<'_>, body: &str) -> Result<(), sqlx::Error> {
    sqlx::query("insert into refused_message (body) values (?)").bind(body).execute(executor).await?;
    Ok(())
}

/// How much waits.
///
/// # Errors
/// Those of the file.
pub async fn get_totals(executor: impl SqliteExecutor<'_>) -> Result<SpooledTotalsRow, sqlx::Error> {
    let select = "select coalesce(sum(messages), 0) as messages, coalesce(sum(octet_length(body)), 0) as bytes,
                         (select count(*) from refused_message) as refused_messages
                  from spooled_batch";
    sqlx::query_as(select).fetch_one(executor).await
}

/// Gives back to the disk what the file does not need.
///
/// # Errors
/// Those of the file.
pub async fn shrink(executor: impl SqliteExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("vacuum; pragma wal_checkpoint(truncate)").execute(executor).await?;
    Ok(())
}

/// Keeps a copy of the registry, in place of an older one.
///
/// # Errors
/// Those of the file.
pub async fn put_registry_copy(executor: impl SqliteExecutor<'_>, body: &str) -> Result<(), sqlx::Error> {
    let put = "insert or replace into registry_copy (only_row, body) values (1, ?)";
    sqlx::query(put).bind(body).execute(executor).await?;
    Ok(())
}

/// The copy of the registry.
///
/// # Errors
/// Those of the file.
pub async fn get_registry_copy(executor: impl SqliteExecutor<'_>) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select body from registry_copy").fetch_optional(executor).await
}
