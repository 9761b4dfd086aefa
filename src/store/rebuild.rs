//! Folded tables beside the live ones, in a schema of their own: what the log makes of an empty start.
//!
//! The log reaches back to the horizon of each shard. A session that began before is not compared: of what the log has left
//! of it, nothing whole can be made. What was redacted is taken over from the live row.
//!
//! A connection that looks into that schema first folds into these tables with the very statements that fold into the
//! live ones.

use std::str::FromStr;

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgExecutor};

use crate::model::session::Flag;

/// The schema of the tables beside.
const BESIDE: &str = "streamtally_rebuild";

/// A table that folding fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// One row a stream.
    Stream,
    /// One row a session.
    Session,
    /// What sessions were before.
    Outcome,
}

impl Folded {
    /// Every one, in the order in which they may be filled.
    pub const ALL: [Self; 3] = [Self::Stream, Self::Session, Self::Outcome];

    fn table(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Session => "stream_session",
            Self::Outcome => "session_outcome",
        }
    }

    /// Whether the log still says all of a live row.
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

    /// The primary key.
    fn key(self) -> &'static [&'static str] {
        match self {
            Self::Stream => &["stream_id", "shard"],
            Self::Session => &["session_id", "shard"],
            Self::Outcome => &["session_id", "known_from", "shard"],
        }
    }

    /// That a live row and one beside have the same key.
    fn has_same_key(self) -> String {
        self.key().iter().map(|column| format!("beside.{column} = live.{column}")).collect::<Vec<_>>().join(" and ")
    }
}

/// How connections are made that fold into the tables beside.
pub fn options(live: &PgConnectOptions, live_schema: &str) -> PgConnectOptions {
    let quoted = live_schema.replace('"', "\"\"");
    live.clone().options([("search_path", format!("{BESIDE},\"{quoted}\""))])
}

/// The schema of the live tables.
pub async fn get_live_schema(executor: impl PgExecutor<'_>) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"select current_schema()::text as "schema!""#).fetch_one(executor).await
}

/// Makes this connection the only one that rebuilds, as long as it lasts; false when another is at it.
pub async fn try_lock_rebuild(executor: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_lock(hashtext('streamtally: rebuild')) as "locked!""#)
        .fetch_one(executor)
        .await
}

/// Lets others rebuild again.
pub async fn unlock_rebuild(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_unlock(hashtext('streamtally: rebuild'))").fetch_one(executor).await?;
    Ok(())
}

/// Makes empty tables beside, in place of what an earlier rebuild left behind. Folding into them begins where the log
/// does.
pub async fn create_tables_beside(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    drop_tables_beside(connection).await?;
    connection.execute(AssertSqlSafe(format!("create schema {BESIDE}"))).await?;
    for (table, key) in [
        ("fold_progress", "shard"),
        ("stream", "stream_id, shard"),
        ("stream_session", "session_id, shard"),
        ("session_outcome", "session_id, known_from, shard"),
    ] {
        // They are never read but to compare, and of no use after a crash. What breaks a constraint is a difference.
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

/// Drops the tables beside.
pub async fn drop_tables_beside(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(format!("drop schema if exists {BESIDE} cascade"))).await?;
    Ok(())
}

/// How far each shard is folded, in their order.
pub async fn list_progress(executor: impl PgExecutor<'_>) -> Result<Vec<(i16, i64)>, sqlx::Error> {
    let rows = sqlx::query!("select shard, position from fold_progress order by shard");
    Ok(rows.fetch_all(executor).await?.into_iter().map(|row| (row.shard, row.position)).collect())
}

/// Takes a shard for this transaction, waiting for whoever folds it: how far it is folded.
pub async fn lock_progress(executor: impl PgExecutor<'_>, shard: i16) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select position from fold_progress where shard = $1 for update", shard)
        .fetch_one(executor)
        .await
}

/// Lets this transaction wait for its client as long as that needs, and compare whole tables without going to disk so soon.
pub async fn set_patient(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("set local idle_in_transaction_session_timeout = 0").execute(&mut *connection).await?;
    sqlx::query!("set local statement_timeout = 0").execute(&mut *connection).await?;
    sqlx::query!("set local work_mem = '64MB'").execute(connection).await?;
    Ok(())
}

/// Leaves beside no session that began before its shard's horizon: the live row is as good as can be. Only a session
/// whose live row is lost stays, with what the log has left of it.
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

/// Puts beside the streams of sessions that began before their shard's horizon: as they are live, else as these
/// sessions name them.
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

/// Puts beside what only the live rows can tell of sessions some of whose entries were redacted.
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

/// A row that is not the same in both tables.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferenceRow {
    /// The live row; `None` when there is none.
    pub live: Option<Value>,
    /// What the log says; `None` when it says nothing of it.
    pub rebuilt: Option<Value>,
}

/// Shows every row that differs, one after the other, and gives their number.
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
        show(DifferenceRow { live: read(live), rebuilt: read(rebuilt) });
        differences += 1;
    }
    Ok(differences)
}

/// Puts what differs in a live table as it is in the table beside.
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
