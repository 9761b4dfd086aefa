//! Shadow tables (`beside` in the code): a second, empty schema into which the log is folded again.
//!
//! The log reaches back to the horizon of each shard. A session that started before it is not compared: the log no
//! longer has all its events. Redacted fields are copied from the live row.
//!
//! A connection with this schema first in its search path folds into the shadow tables with exactly the statements that
//! fold into the live ones.

use std::str::FromStr;

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgExecutor};

use crate::model::session::Flag;

/// The schema of the shadow tables.
const BESIDE: &str = "streamtally_rebuild";

/// A table that folding fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// One row for each stream.
    Stream,
    /// One row for each session.
    Session,
    /// Earlier outcomes of sessions.
    Outcome,
}

impl Folded {
    /// All tables, in the order in which they may be filled.
    pub const ALL: [Self; 3] = [Self::Stream, Self::Session, Self::Outcome];

    fn table(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Session => "stream_session",
            Self::Outcome => "session_outcome",
        }
    }

    /// The condition that the log still has all events of a live row.
    fn is_told(self) -> &'static str {
        match self {
            Self::Stream => "true",
            Self::Session => {
                "exists (select from log_horizon horizon
                         where horizon.shard = live.shard and live.first_position > horizon.position)"
            }
            Self::Outcome => {
                "not exists (select from stream_session session join log_horizon horizon using (shard)
                             where session.session_id = live.session_id and session.shard = live.shard
                               and session.first_position <= horizon.position)"
            }
        }
    }

    fn key(self) -> &'static [&'static str] {
        match self {
            Self::Stream => &["domain", "app", "stream", "shard"],
            Self::Session => &["session_id", "shard"],
            Self::Outcome => &["session_id", "known_from", "shard"],
        }
    }

    /// The condition that a live row and a shadow row have the same key.
    fn has_same_key(self) -> String {
        self.key().iter().map(|column| format!("beside.{column} = live.{column}")).collect::<Vec<_>>().join(" and ")
    }
}

/// The connection options for folding into the shadow tables.
pub fn options(live: &PgConnectOptions, live_schema: &str) -> PgConnectOptions {
    let quoted = live_schema.replace('"', "\"\"");
    live.clone().options([("search_path", format!("{BESIDE},\"{quoted}\""))])
}

pub async fn get_live_schema(executor: impl PgExecutor<'_>) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"select current_schema()::text as "schema!""#).fetch_one(executor).await
}

/// Locks rebuilding until the connection closes; false when another process rebuilds.
pub async fn try_lock_rebuild(executor: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_lock(hashtext('streamtally: rebuild')) as "locked!""#)
        .fetch_one(executor)
        .await
}

/// Releases the lock of rebuilding.
pub async fn unlock_rebuild(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_unlock(hashtext('streamtally: rebuild'))").fetch_one(executor).await?;
    Ok(())
}

/// Creates empty shadow tables, replacing those that an earlier rebuild left. Folding into them starts at the beginning
/// of the log.
pub async fn create_tables_beside(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    drop_tables_beside(connection).await?;
    connection.execute(AssertSqlSafe(format!("create schema {BESIDE}"))).await?;
    for (table, key) in [
        ("fold_progress", "shard"),
        ("stream", "domain, app, stream, shard"),
        ("stream_session", "session_id, shard"),
        ("session_outcome", "session_id, known_from, shard"),
    ] {
        // Unlogged: they are only compared, and useless after a crash. No constraints: a violation is a difference to
        // report.
        let create = format!(
            "create unlogged table {BESIDE}.{table} (like {table} including defaults);
             alter table {BESIDE}.{table} add primary key ({key});
             select spread_over_nodes('{BESIDE}.{table}')"
        );
        connection.execute(AssertSqlSafe(create)).await?;
    }
    let begin = format!("insert into {BESIDE}.fold_progress select shard, position, recorded_at from log_horizon");
    connection.execute(AssertSqlSafe(begin)).await?;
    Ok(())
}

pub async fn drop_tables_beside(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(format!("drop schema if exists {BESIDE} cascade"))).await?;
    Ok(())
}

/// The folded position of each shard, ordered by shard.
pub async fn list_progress(executor: impl PgExecutor<'_>) -> Result<Vec<(i16, i64)>, sqlx::Error> {
    let rows = sqlx::query!("select shard, position from fold_progress order by shard");
    Ok(rows.fetch_all(executor).await?.into_iter().map(|row| (row.shard, row.position)).collect())
}

/// Locks a shard's progress for this transaction, waiting for the process that folds it; returns the folded position.
pub async fn lock_progress(executor: impl PgExecutor<'_>, shard: i16) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select position from fold_progress where shard = $1 for update", shard)
        .fetch_one(executor)
        .await
}

/// For a long comparison: disables the timeouts of this transaction, and gives it more memory before it uses the disk.
pub async fn set_patient(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("set local idle_in_transaction_session_timeout = 0").execute(&mut *connection).await?;
    sqlx::query!("set local statement_timeout = 0").execute(&mut *connection).await?;
    sqlx::query!("set local work_mem = '64MB'").execute(connection).await?;
    Ok(())
}

/// Deletes shadow sessions that started before their shard's horizon: their live rows have more facts. A session whose
/// live row is lost stays, as far as the log has its events.
pub async fn delete_older_sessions_beside(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for table in [Folded::Session, Folded::Outcome].map(Folded::table) {
        let delete = format!(
            "delete from {BESIDE}.{table} beside
             using stream_session live join log_horizon horizon using (shard)
             where live.session_id = beside.session_id and live.shard = beside.shard
               and live.first_position <= horizon.position"
        );
        connection.execute(AssertSqlSafe(delete)).await?;
    }
    let mend = format!("update {BESIDE}.stream_session set quarantined_messages = 0 where quarantined_messages < 0");
    connection.execute(AssertSqlSafe(mend)).await?;
    Ok(())
}

/// Adds the shadow rows of streams whose sessions started before their shard's horizon: with the names of the live row,
/// or else of these sessions.
pub async fn insert_older_streams_beside(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let insert = format!(
        "insert into {BESIDE}.stream (shard, stream_id, domain, app, stream)
         select older.shard, older.stream_id, coalesce(live.domain, older.domain), coalesce(live.app, older.app),
             coalesce(live.stream, older.stream)
         from (
             select session.shard, session.stream_id, min(session.domain) as domain, min(session.app) as app,
                 min(session.stream) as stream
             from stream_session session join log_horizon horizon using (shard)
             where session.first_position <= horizon.position and session.status <> 'unseen'
             group by session.shard, session.stream_id
         ) older
         left join stream live using (stream_id, shard)
         on conflict do nothing"
    );
    connection.execute(AssertSqlSafe(insert)).await?;
    Ok(())
}

/// Copies fields that only the live rows have to shadow sessions with redacted events.
pub async fn update_redacted_sessions_beside(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let update = format!(
        "update {BESIDE}.stream_session beside
         set client_ip = live.client_ip, node_ip = live.node_ip, client_address = live.client_address,
             node_address = live.node_address, user_args = live.user_args, blanked = live.blanked,
             key_conflict = live.key_conflict,
             flags = array (
                 select flag from unnest($1::text[]) with ordinality as known (flag, place)
                 where case flag when $2 then live.key_conflict else flag = any (beside.flags) end
                 order by place)
         from stream_session live join log_horizon horizon using (shard)
         where live.session_id = beside.session_id and live.shard = beside.shard
           and beside.first_position <= horizon.personal_position
           and (beside.client_ip, beside.node_ip, beside.client_address, beside.node_address, beside.user_args,
                beside.blanked, beside.key_conflict)
               is distinct from (live.client_ip, live.node_ip, live.client_address, live.node_address, live.user_args,
                live.blanked, live.key_conflict)"
    );
    let flags: Vec<&str> = Flag::ALL.iter().map(|flag| flag.as_str()).collect();
    sqlx::query(AssertSqlSafe(update)).bind(flags).bind(Flag::KeyConflict.as_str()).execute(connection).await?;
    Ok(())
}

/// A row that differs between the stored and the shadow table.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferenceRow {
    /// The stored row; `None` when it does not exist.
    pub stored: Option<Value>,
    /// The rebuilt row; `None` when the log has no such row.
    pub rebuilt: Option<Value>,
}

/// Calls `show` with each row that differs, and returns their number.
pub async fn list_differences(
    connection: &mut PgConnection,
    folded: Folded,
    mut show: impl FnMut(DifferenceRow),
) -> Result<u64, sqlx::Error> {
    let table = folded.table();
    let key = folded.key().join(", ");
    let is_told = folded.is_told();
    let query = format!(
        "select to_jsonb(live)::text, to_jsonb(beside)::text
         from (select * from {table} live where {is_told}) live full join {BESIDE}.{table} beside using ({key})
         where row (live.*) is distinct from row (beside.*)
         order by {key}"
    );
    let mut rows = sqlx::query_as::<_, (Option<String>, Option<String>)>(AssertSqlSafe(query)).fetch(connection);
    let mut differences = 0;
    while let Some((live, rebuilt)) = rows.try_next().await? {
        let read = |text: Option<String>| text.and_then(|text| Value::from_str(&text).ok());
        show(DifferenceRow { stored: read(live), rebuilt: read(rebuilt) });
        differences += 1;
    }
    Ok(differences)
}

/// Replaces the differing rows of a live table by those of the shadow table.
pub async fn replace_differing_rows(connection: &mut PgConnection, folded: Folded) -> Result<(), sqlx::Error> {
    let table = folded.table();
    let has_same_key = folded.has_same_key();
    let is_told = folded.is_told();
    let delete = format!(
        "delete from {table} live where {is_told} and not exists (
             select from {BESIDE}.{table} beside
             where {has_same_key} and row (beside.*) is not distinct from row (live.*))"
    );
    let insert = format!(
        "insert into {table} select beside.* from {BESIDE}.{table} beside where not exists (
             select from {table} live where {has_same_key})"
    );
    connection.execute(AssertSqlSafe(delete)).await?;
    connection.execute(AssertSqlSafe(insert)).await?;
    Ok(())
}
