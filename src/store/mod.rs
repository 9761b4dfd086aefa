//! All SQL: one function a statement, the executor passed in.
//!
//! Functions are named by what they do to rows (`insert_`, `get_`, `list_`, `lock_`, `upsert_`, `update_`,
//! `delete_`). Rows (`…Row`) are what a statement takes or gives back, and are never shown to callers. Business times are parameters;
//! the database's own clock is read only where the log needs it.
//!
//! A statement about several shards names them twice, by a join and by a list: a cluster finds their nodes by the list.

pub mod access_token;
pub mod audit;
pub mod broadcast;
pub mod change;
pub mod channel;
pub mod clock_repair;
pub mod domain;
pub mod event;
pub mod event_list;
pub mod fold;
pub mod inference;
pub mod installation;
pub mod live;
pub mod log;
pub mod moment;
pub mod outcome;
pub mod partition;
pub mod pool;
pub mod rebuild;
pub mod rejection;
pub mod release;
pub mod report;
pub mod retention;
pub mod sealed_report;
pub mod session;
pub mod session_list;
pub mod signed_out;
pub mod signing_key;
pub mod silence;
pub mod snapshot;
pub mod stream;
pub mod transfer;

/// The schema's migrations, embedded.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// One field of every row, in their order: the array that UNNEST takes for a column.
fn column<'a, Row, T>(rows: &'a [Row], field: impl Fn(&'a Row) -> T) -> Vec<T> {
    rows.iter().map(field).collect()
}

/// Classes of SQLSTATE that say that the database cannot at the moment: connections, transactions that were ended,
/// serialisation, resources, states, operators.
const TRANSIENT_SQLSTATE_CLASSES: [&str; 6] = ["08", "25", "40", "53", "55", "57"];

/// Whether the database could not be reached, or cannot do it at the moment.
pub fn is_transient(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match error {
        _ if lacks_partition(error) => true,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        _ => code.is_some_and(|code| TRANSIENT_SQLSTATE_CLASSES.iter().any(|class| code.starts_with(class))),
    }
}

/// Whether the database rejected a value (SQLSTATE classes 22 and 23) rather than failed.
pub fn is_data_error(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23")) && !lacks_partition(error)
}

/// Whether the event log has no partition for the month in which an entry was to be recorded.
pub fn lacks_partition(error: &sqlx::Error) -> bool {
    // The SQLSTATE of a violated CHECK, which would name its constraint.
    error
        .as_database_error()
        .is_some_and(|error| error.code().is_some_and(|code| code == "23514") && error.constraint().is_none())
}
