//! The database of a command: the one of `DATABASE_URL`, or the private one.

use std::io::ErrorKind;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::unistd::{User, getuid};
use private_postgres::{self as postgres, LockHolder, PrivatePostgres};
use secrecy::{ExposeSecret, SecretString};
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;

use crate::access::Actor;
use crate::config::{self, InstallationOptions};
use crate::platform::clock;
use crate::platform::data_dir::DataDir;
use crate::registry::installation::{self, SHARDS};
use crate::registry::master_key::{MasterKey, MasterKeyError};
use crate::registry::master_keys::MasterKeys;
use crate::store::pool::{self, PoolRole};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The secrets of the service.
pub(super) struct Secrets {
    pub(super) master_keys: MasterKeys,
    pub(super) admin_token: SecretString,
    /// The token was created just now and must be shown.
    pub(super) new_admin_token: bool,
}

/// The database, and its private server if there is one.
pub(super) struct Database {
    pub(super) options: PgConnectOptions,
    pub(super) private: Option<PrivatePostgres>,
}

/// Finds the database; starts the private server if it is configured and not running.
///
/// # Errors
/// The URL is invalid, or the private server failed to start.
pub(super) fn open(options: &InstallationOptions, data_dir: &DataDir, holder: LockHolder) -> anyhow::Result<Database> {
    if let Some(url) = &options.database_url {
        return Ok(Database { options: parse(url, "DATABASE_URL")?, private: None });
    }
    let private = PrivatePostgres::open(&postgres::Options {
        data_dir: data_dir.path().to_owned(),
        bin: options.pg_bin.clone(),
        holder,
        parameters: Vec::new(),
    })
    .context("failed to start the private database")?;
    let options = PgConnectOptions::new_without_pgpass()
        .socket(private.socket_dir())
        .port(private.port())
        .username(private.user())
        .database(private.database());
    Ok(Database { options, private: Some(private) })
}

/// Parses the URL of a database. The error does not quote the URL, which contains a password.
///
/// # Errors
/// It is not the URL of a PostgreSQL database.
pub(super) fn parse(url: &SecretString, setting: &str) -> anyhow::Result<PgConnectOptions> {
    let url = url.expose_secret();
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options = PgConnectOptions::from_str(url).ok().filter(|_| is_postgres);
    options.with_context(|| format!("{setting} is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE"))
}

/// Connects once, for an error with the reason and a fix: a pool would only wait.
///
/// # Errors
/// The connection failed.
pub(super) async fn try_connecting(database: &PgConnectOptions) -> anyhow::Result<()> {
    let connected = match timeout(CONNECT_TIMEOUT, PgConnection::connect_with(database)).await {
        Ok(connected) => connected,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    };
    let connection = connected.map_err(|error| {
        let advice = advice_on(&error, database);
        // The advice says it all.
        if is_unreachable(&error) { anyhow!(advice) } else { anyhow::Error::new(error).context(advice) }
    })?;
    Ok(connection.close().await?)
}

fn is_unreachable(error: &sqlx::Error) -> bool {
    let sqlx::Error::Io(error) = error else { return false };
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound)
}

/// The problem and its fix, without the password.
fn advice_on(error: &sqlx::Error, database: &PgConnectOptions) -> String {
    let place = match database.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", database.get_host(), database.get_port()),
    };
    let (user, name) = (database.get_username(), database.get_database().unwrap_or_default());
    match error.as_database_error().and_then(DatabaseError::code).as_deref() {
        // SQLSTATE codes: invalid password and authorization, invalid catalog name, too many connections, cannot
        // connect now.
        Some("28P01" | "28000") => format!(
            "authentication failed for user {user} at the database at {place}; check user and password in DATABASE_URL, and \
             pg_hba.conf of the server"
        ),
        Some("3D000") => {
            format!("the server at {place} has no database {name}; create it or correct DATABASE_URL")
        }
        Some("53300") => {
            format!("the database at {place} has too many connections; raise max_connections or close other clients")
        }
        Some("57P03") => format!("the database at {place} is starting or stopping; try again later"),
        Some(_) => format!("failed to connect to the database at {place}"),
        None => format!("the database at {place} is unreachable; check that it runs there, or correct DATABASE_URL"),
    }
}

/// What an administrative command works with.
pub(super) struct CommandContext {
    pub(super) pool: PgPool,
    pub(super) database: PgConnectOptions,
    pub(super) master_keys: MasterKeys,
    /// Encrypts the callback keys.
    pub(super) master_key: Arc<MasterKey>,
    pub(super) actor: Actor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads only: the database itself rejects writes.
    Read,
    /// Changes the installation, after its schema is up to date.
    Change,
    /// Changes the installation, or creates one with this number of shards.
    Create { shards: i16 },
}

/// Creates an installation as the service does.
pub(super) const CREATE: Access = Access::Create { shards: SHARDS };

/// Runs `work` on the installation, whether the service runs or not.
///
/// Without an installation, only [`Access::Create`] creates a folder, database, schema or key. A missing or wrong master key is
/// an error before anything is written.
///
/// # Errors
/// There is no installation, it is unusable, or `work` failed.
pub(super) async fn with_installation<T>(
    options: &InstallationOptions,
    access: Access,
    work: impl AsyncFnOnce(&CommandContext) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let actor = current_account();
    let data_dir = DataDir::find(options.folders.data_dir.as_deref())?;
    let creates = matches!(access, Access::Create { .. });
    let place = data_dir.path().display();
    if options.database_url.is_none() && !creates && !PrivatePostgres::exists_in(data_dir.path()) {
        bail!("{place} has no installation; `serve` creates one, or set --data-dir or --database-url");
    }
    let master_keys = config::master_keys(&data_dir)?;
    let Database { options: mut database, private } = open(options, &data_dir, LockHolder::Command)?;
    let worked = async {
        try_connecting(&database).await?;
        if access == Access::Read {
            database = database.options([("default_transaction_read_only", "on")]);
        }
        let pool = pool::open(&database, PoolRole::Work, false);
        let exists = installation::find_master_key(&pool, &master_keys).await?.is_some();
        if !exists && !creates {
            bail!("the database has no installation; `serve` creates one, or set --data-dir or --database-url");
        }
        if !exists && master_keys.present()?.is_none() {
            master_keys.make_present()?;
        }
        prepare(&pool, &master_keys, access).await?;
        let master_key = installation::find_master_key(&pool, &master_keys).await?.ok_or(MasterKeyError::Missing)?;
        let context = CommandContext { pool, database, master_keys, master_key, actor };
        let worked = work(&context).await;
        context.pool.close().await;
        worked
    }
    .await;
    private.map_or(Ok(()), PrivatePostgres::stop).context("failed to stop the private database")?;
    worked
}

async fn prepare(pool: &PgPool, master_keys: &MasterKeys, access: Access) -> anyhow::Result<()> {
    let shards = match access {
        Access::Read if installation::is_up_to_date(pool).await? => return Ok(()),
        Access::Read => {
            bail!("the schema of the database is of an older version; `migrate` updates it")
        }
        Access::Change => SHARDS,
        Access::Create { shards } => shards,
    };
    installation::prepare(pool, master_keys, shards, clock::now()).await?;
    Ok(())
}

/// The secrets of the service. Creates missing ones, except the master key of an existing installation.
///
/// # Errors
/// The master key is missing or wrong, or the database or the data folder is unusable.
pub(super) async fn find_or_make_secrets(
    database: &PgConnectOptions,
    data_dir: &DataDir,
    (master_keys, admin_token): (MasterKeys, Option<SecretString>),
) -> anyhow::Result<Secrets> {
    let has_key = master_keys.present()?.is_some();
    if let (true, Some(admin_token)) = (has_key, &admin_token) {
        return Ok(Secrets { master_keys, admin_token: admin_token.clone(), new_admin_token: false });
    }
    try_connecting(database).await?;
    let pool = pool::open(database, PoolRole::Work, false);
    let exists = installation::find_master_key(&pool, &master_keys).await?.is_some();
    pool.close().await;
    if !exists && !has_key {
        master_keys.make_present()?;
    }
    Ok(Secrets {
        master_keys,
        new_admin_token: admin_token.is_none(),
        admin_token: admin_token.map_or_else(|| config::make_admin_token(data_dir), Ok)?,
    })
}

/// Commands have no token: the actor is the account. Called before root switches to the owner of the data folder.
fn current_account() -> Actor {
    let account = User::from_uid(getuid()).ok().flatten().map(|user| user.name);
    Actor { name: format!("command line ({})", account.as_deref().unwrap_or("unknown account")), token_id: None }
}
