//! Monthly partitions of the event log.

use chrono::{DateTime, Months, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor};

/// The database's clock.
pub async fn get_database_time(executor: impl PgExecutor<'_>) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(executor).await
}

/// The heads of shards after a time: the next events of these shards are recorded then or later, even if the clock
/// shows an earlier time.
pub async fn list_heads_after(
    executor: impl PgExecutor<'_>,
    time: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select recorded_at from shard_head where recorded_at > $1", time).fetch_all(executor).await
}

/// Blocks other processes from creating partitions, until the end of the transaction.
pub async fn lock_partitions(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('streamtally: partitions'))").execute(executor).await?;
    Ok(())
}

/// Whether the partition of the month that starts on `month` exists.
pub async fn has_log_partition(executor: impl PgExecutor<'_>, month: NaiveDate) -> Result<bool, sqlx::Error> {
    let name = partition_name(month);
    sqlx::query_scalar!(r#"select to_regclass($1) is not null as "there!""#, name).fetch_one(executor).await
}

/// Creates the partition of the month that starts on `month`.
///
/// Creates a table, then attaches it: creating a partition in place would make every append wait behind the longest
/// reader.
pub async fn create_log_partition(connection: &mut PgConnection, month: NaiveDate) -> Result<(), sqlx::Error> {
    let name = partition_name(month);
    let next = month + Months::new(1);
    // A partition's name and bounds cannot be parameters, here and below. Both consist of a date alone.
    let create = format!("create table {name} (like log_entry including all)");
    let attach = format!(
        "alter table log_entry attach partition {name} for values from ('{month} 00:00:00+00') to ('{next} 00:00:00+00')"
    );
    sqlx::query(AssertSqlSafe(create)).execute(&mut *connection).await?;
    sqlx::query(AssertSqlSafe(attach)).execute(&mut *connection).await?;
    Ok(())
}

/// The months that have a partition, oldest first, as their first days.
pub async fn list_log_months(executor: impl PgExecutor<'_>) -> Result<Vec<NaiveDate>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select to_date(right(child.relname, 7), 'YYYY_MM') as "month!"
           from pg_inherits join pg_class child on child.oid = inhrelid
           where inhparent = 'log_entry'::regclass and child.relname ~ '^log_entry_[0-9]{4}_[0-9]{2}$'
           order by 1"#
    )
    .fetch_all(executor)
    .await
}

/// Locks out vacuum from the partition of the month that starts on `month`, until the end of the transaction.
pub async fn lock_log_partition(connection: &mut PgConnection, month: NaiveDate) -> Result<(), sqlx::Error> {
    let lock = format!("lock table {} in share update exclusive mode", partition_name(month));
    sqlx::query(AssertSqlSafe(lock)).execute(connection).await?;
    Ok(())
}

/// Drops the partition of the month that starts on `month`, with its events.
pub async fn drop_log_partition(connection: &mut PgConnection, month: NaiveDate) -> Result<(), sqlx::Error> {
    let name = partition_name(month);
    let detach = format!("alter table log_entry detach partition {name}");
    let drop = format!("drop table {name}");
    sqlx::query(AssertSqlSafe(detach)).execute(&mut *connection).await?;
    sqlx::query(AssertSqlSafe(drop)).execute(&mut *connection).await?;
    Ok(())
}

fn partition_name(month: NaiveDate) -> String {
    format!("log_entry_{}", month.format("%Y_%m"))
}
