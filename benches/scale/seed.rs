//! Creates the database of an installation after a year. It is loaded, but each row is as folding would have written
//! it.

use std::path::Path;
use std::sync::{Arc, mpsc};

use anyhow::Context;
use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use private_postgres::{LockHolder, Options, PrivatePostgres};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use streamtally::model::access::{FieldSeparator, SignatureRule};
use streamtally::model::polling::PollMode;
use streamtally::platform::clock;
use streamtally::platform::data_dir::DataDir;
use streamtally::registry::installation;
use streamtally::store::domain::DomainRow;
use streamtally::store::pool::{self, PoolRole};
use streamtally::store::session::SessionRow;
use streamtally::{config, store};

use super::copy::{Rows, copy_in};
use super::history::{History, LogRow, Place};
use super::population::{self, Population, TEMPLATE};
use super::said;

/// Creates an installation in an empty folder, with `ended` ended sessions, and a hundredth of that number live.
///
/// # Errors
/// The database cannot be created.
pub(super) async fn seed(folder: &Path, ended: u32) -> anyhow::Result<()> {
    let data_dir = DataDir::find(Some(folder))?;
    // Only for loading; the measured service starts the server with its usual settings.
    let parameters = [
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("max_wal_size", "8GB"),
        ("maintenance_work_mem", "1GB"),
        ("work_mem", "256MB"),
        ("autovacuum", "off"),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let private = PrivatePostgres::open(&Options {
        data_dir: folder.to_owned(),
        bin: None,
        holder: LockHolder::Serve,
        parameters,
    })?;
    let options = options_of(&private);
    let pool = pool::open(&options, PoolRole::Work, false);
    let master_keys = config::master_keys(&data_dir)?;
    master_keys.make_present()?;
    installation::prepare(&pool, &master_keys, installation::SHARDS, clock::now()).await?;
    config::make_admin_token(&data_dir)?;
    pool.close().await;
    let mut connection = PgConnection::connect_with(&options).await?;
    let loaded = load(&mut connection, ended).await;
    connection.close().await?;
    private.stop()?;
    loaded
}

pub(super) fn options_of(private: &PrivatePostgres) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(private.socket_dir())
        .port(private.port())
        .username(private.user())
        .database(private.database())
        .options([("timezone", "UTC")])
}

async fn load(connection: &mut PgConnection, ended: u32) -> anyhow::Result<()> {
    let now = clock::now();
    let this_month = now.date_naive().with_day(1).context("every month has a first day")?;
    let last_month = this_month - Months::new(1);
    let population = said("population", async {
        Ok(Population::new(ended, u32::try_from(now.timestamp()).context("it is not 2106 yet")?))
    });
    let population = population.await?;
    let history = Arc::new(History::new(population, begin_of(last_month), now));
    load_domains(connection).await?;
    for month in [last_month, this_month] {
        said(&format!("log of {}", month.format("%Y-%m")), load_month(connection, &history, month)).await?;
    }
    load_places(connection, &history, begin_of(last_month), now).await?;
    let history = Arc::into_inner(history).context("the log is loaded")?;
    said("sessions", load_sessions(connection, history)).await?;
    said("statistics", async {
        for table in ["stream_session", "session_outcome", "stream", "log_entry"] {
            execute(connection, format!("vacuum (analyze, freeze) {table}")).await?;
        }
        Ok(())
    })
    .await
}

async fn load_domains(connection: &mut PgConnection) -> anyhow::Result<()> {
    let created_at = clock::now();
    for (number, domain) in (0..).zip(population::domains()) {
        let is_signed = population::key_of_domain(number).is_some();
        let row = DomainRow {
            domain,
            signature: if is_signed { SignatureRule::Required } else { SignatureRule::None },
            apps: None,
            joiner: FieldSeparator::default(),
            rendition_templates: vec![TEMPLATE.to_owned()],
            concurrent_pushes: false,
            close_unconfirmed_seconds: None,
            callback_token_hash: None,
            poll_mode: PollMode::Off,
            provider_account_id: None,
            created_at,
            updated_at: created_at,
        };
        store::domain::upsert_domain(&mut *connection, &row).await?;
    }
    Ok(())
}

/// Loads a month of the log into a partition, which gets its indexes when it is attached.
async fn load_month(connection: &mut PgConnection, history: &Arc<History>, month: NaiveDate) -> anyhow::Result<()> {
    let next = month + Months::new(1);
    let name = format!("log_entry_{}", month.format("%Y_%m"));
    if store::partition::has_log_partition(&mut *connection, month).await? {
        store::partition::drop_log_partition(connection, month).await?;
    }
    let mut transaction = connection.begin().await?;
    execute(&mut transaction, format!("create table {name} (like log_entry including all excluding indexes)")).await?;
    let history = Arc::clone(history);
    let (from, to) = (begin_of(month), begin_of(next));
    let statement = format!("copy {name} ({LOG_COLUMNS}) from stdin (format binary)");
    copy_in(&mut transaction, &statement, move |rows| {
        history.log_between(from, to).for_each(|row| push_log_row(rows, &row));
    })
    .await?;
    execute(
        &mut transaction,
        format!(
            "alter table log_entry attach partition {name}
             for values from ('{month} 00:00:00+00') to ('{next} 00:00:00+00')"
        ),
    )
    .await?;
    Ok(transaction.commit().await?)
}

/// Stores the heads and horizons of the shards, and that the log is folded.
async fn load_places(
    connection: &mut PgConnection,
    history: &History,
    horizon: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let horizons = history.places_at(horizon);
    let heads = history.places_at(now);
    for (shard, (dropped, head)) in (0_i16..).zip(horizons.into_iter().zip(heads)) {
        let Place { position, recorded_at } = dropped;
        execute(
            connection,
            format!(
                "update log_horizon set position = {position}, personal_position = {position},
                     recorded_at = '{recorded_at}' where shard = {shard}"
            ),
        )
        .await?;
        let Place { position, recorded_at } = head;
        for table in ["shard_head", "fold_progress"] {
            execute(
                connection,
                format!(
                    "update {table} set position = {position}, recorded_at = '{recorded_at}' where shard = {shard}"
                ),
            )
            .await?;
        }
    }
    Ok(())
}

/// Loads sessions without indexes, and creates the indexes afterwards.
async fn load_sessions(connection: &mut PgConnection, history: History) -> anyhow::Result<()> {
    let mut transaction = connection.begin().await?;
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "select indexname::text, indexdef from pg_indexes
         where tablename in ('unseen_session', 'live_session', 'ended_session') and indexname not like '%_pkey'",
    )
    .fetch_all(&mut *transaction)
    .await?;
    for (name, _) in &indexes {
        execute(&mut transaction, format!("drop index {name}")).await?;
    }
    execute(&mut transaction, "alter table stream_session drop constraint stream_session_pkey".to_owned()).await?;
    execute(&mut transaction, "truncate stream_session".to_owned()).await?;
    let statement = format!("copy stream_session ({SESSION_COLUMNS}) from stdin (format binary)");
    let (sender, earlier_outcomes) = mpsc::channel();
    copy_in(&mut transaction, &statement, move |rows| {
        history.fold_all(|written| {
            written.inserted_sessions.iter().for_each(|session| push_session(rows, session));
            if !written.earlier_outcomes.is_empty() {
                let _ = sender.send(written.earlier_outcomes);
            }
        });
    })
    .await?;
    for outcomes in earlier_outcomes {
        store::outcome::insert_earlier_outcomes(&mut *transaction, &outcomes).await?;
    }
    let key = "alter table stream_session add constraint stream_session_pkey primary key (session_id, shard, status)";
    execute(&mut transaction, key.to_owned()).await?;
    for (_, definition) in indexes {
        execute(&mut transaction, definition).await?;
    }
    let streams = "insert into stream (shard, stream_id, domain, app, stream)
                   select distinct shard, stream_id, domain, app, stream from stream_session where status <> 'unseen'";
    execute(&mut transaction, streams.to_owned()).await?;
    Ok(transaction.commit().await?)
}

async fn execute(connection: &mut PgConnection, statement: String) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

fn begin_of(month: NaiveDate) -> DateTime<Utc> {
    month.and_time(chrono::NaiveTime::MIN).and_utc()
}

const LOG_COLUMNS: &str = "shard, position, recorded_at, received_at, event_id, session_id, domain, app, stream,
    publish_timestamp, origin, event, disposition, reason, signature, key_id, auth_timestamp, auth_sign, signature_tag,
    client_ip, node_ip, source_ip, user_args, rendition_template, blanked, ended_at, actor";

fn push_log_row(rows: &mut Rows, row: &LogRow) {
    let entry = &row.entry;
    rows.push(&[
        &row.shard,
        &entry.position,
        &entry.recorded_at,
        &entry.received_at,
        &row.event_id,
        &entry.session_id,
        &entry.domain,
        &entry.app,
        &entry.stream,
        &entry.publish_timestamp,
        &entry.origin,
        &entry.event,
        &entry.disposition,
        &row.reason,
        &entry.signature,
        &row.key_id,
        &entry.auth_timestamp,
        &row.auth_sign,
        &row.signature_tag,
        &entry.client_ip,
        &entry.node_ip,
        &row.source_ip,
        &entry.user_args,
        &entry.rendition_template,
        &entry.blanked,
        &entry.ended_at,
        &row.actor,
    ]);
}

const SESSION_COLUMNS: &str = "shard, session_id, stream_id, domain, app, stream, publish_timestamp, started_at,
    start_received_at, start_deliveries, end_received_at, end_deliveries, end_noticed_at, superseded_at, timed_out_at,
    operator_ended_at, confirmed_at, listed_at, unlisted_at, unlisted_ended_at, history_ended_at, replaced,
    quarantined_messages, key_conflict, shared_signature, client_ip, node_ip, client_address, node_address, user_args, blanked, rendition_template, status, ended_at, ended_at_source, flags, seen_at, outcome_at,
    revised, first_position, last_position, last_recorded_at";

fn push_session(rows: &mut Rows, row: &SessionRow) {
    rows.push(&[
        &row.shard,
        &row.session_id,
        &row.stream_id,
        &row.domain,
        &row.app,
        &row.stream,
        &row.publish_timestamp,
        &row.started_at,
        &row.start_received_at,
        &row.start_deliveries,
        &row.end_received_at,
        &row.end_deliveries,
        &row.end_noticed_at,
        &row.superseded_at,
        &row.timed_out_at,
        &row.operator_ended_at,
        &row.confirmed_at,
        &row.listed_at,
        &row.unlisted_at,
        &row.unlisted_ended_at,
        &row.history_ended_at,
        &row.replaced,
        &row.quarantined_messages,
        &row.key_conflict,
        &row.shared_signature,
        &row.client_ip,
        &row.node_ip,
        &row.client_address,
        &row.node_address,
        &row.user_args,
        &row.blanked,
        &row.rendition_template,
        &row.status,
        &row.ended_at,
        &row.ended_at_source,
        &row.flags,
        &row.seen_at,
        &row.outcome_at,
        &row.revised,
        &row.first_position,
        &row.last_position,
        &row.last_recorded_at,
    ]);
}
