//! All SQL: one function for each statement, which takes the executor as a parameter.
//!
//! Names of functions say what they do to rows (`insert_`, `get_`, `list_`, `lock_`, `upsert_`, `update_`, `delete_`).
//! Rows (`…Row`) are parameters and results of statements, and never part of the API. Business times are parameters;
//! the database's clock is read only where the log needs it.
//!
//! A statement about several shards names them twice, in a join and in a list: a cluster finds their nodes by the list.

pub(crate) mod access_token;
pub(crate) mod audit;
pub(crate) mod broadcast;
pub(crate) mod change;
pub(crate) mod channel;
pub(crate) mod clock_repair;
pub mod domain;
pub(crate) mod event;
pub(crate) mod event_list;
pub mod fold;
pub mod inference;
pub(crate) mod installation;
pub(crate) mod kept_rejection;
pub(crate) mod live;
pub mod log;
pub(crate) mod moment;
pub mod notice;
pub mod outcome;
pub mod partition;
pub mod poll_summary;
pub mod polling;
pub mod pool;
pub mod provider_account;
pub(crate) mod quarantine;
pub mod rebuild;
pub(crate) mod rejection;
pub mod relay;
pub mod release;
pub(crate) mod report;
pub mod retention;
pub(crate) mod sealed_report;
pub mod session;
pub(crate) mod session_list;
pub(crate) mod signed_out;
pub mod signing_key;
pub(crate) mod silence;
pub(crate) mod snapshot;
pub(crate) mod stream;
pub(crate) mod transfer;
pub mod webhook;
pub mod webhook_delivery;

/// The schema's migrations, embedded.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The values of one field of all rows, in order: an array for UNNEST.
fn column<'a, Row, T>(rows: &'a [Row], field: impl Fn(&'a Row) -> T) -> Vec<T> {
    rows.iter().map(field).collect()
}

/// SQLSTATE classes of transient failures: connection, aborted transaction, serialization, resources, object state,
/// operator intervention.
const TRANSIENT_SQLSTATE_CLASSES: [&str; 6] = ["08", "25", "40", "53", "55", "57"];

/// Whether the database is unreachable or fails temporarily.
pub fn is_transient(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match error {
        _ if lacks_partition(error) => true,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        _ => code.is_some_and(|code| TRANSIENT_SQLSTATE_CLASSES.iter().any(|class| code.starts_with(class))),
    }
}

/// Whether the database rejected a value (SQLSTATE classes 22 and 23).
pub fn is_data_error(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23")) && !lacks_partition(error)
}

/// Whether the event log has no partition for the month of an event.
pub fn lacks_partition(error: &sqlx::Error) -> bool {
    // The SQLSTATE of a violated CHECK constraint; but a CHECK violation also names its constraint: on a cluster, where a
    // node's error is passed on without its fields, only in the message.
    let names_a_constraint = |error: &dyn sqlx::error::DatabaseError| {
        error.constraint().is_some() || error.message().contains("violates check constraint")
    };
    error
        .as_database_error()
        .is_some_and(|error| error.code().is_some_and(|code| code == "23514") && !names_a_constraint(error))
}

#[cfg(test)]
mod tests {
    use super::MIGRATOR;

    /// Each version with the SHA-384 of its file.
    const RECORDED: &str = include_str!("../../tests/fixtures/migrations.txt");

    #[test]
    fn migrations_never_change() {
        let lines = MIGRATOR.iter().map(|known| format!("{} {}", known.version, hex::encode(&*known.checksum)));
        let recorded: Vec<&str> = RECORDED.lines().collect();
        assert_eq!(
            lines.collect::<Vec<_>>(),
            recorded,
            "a change is a new migration, with a new line in tests/fixtures/migrations.txt"
        );
    }
}
