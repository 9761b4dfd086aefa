//! The database that a command works on: the one that is named, or the private one.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
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

/// How long a database may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a service has to know besides its settings.
pub(super) struct Secrets {
    pub(super) master_keys: MasterKeys,
    pub(super) admin_token: SecretString,
    /// Made just now, so that somebody has to be told.
    pub(super) new_admin_token: bool,
}

/// The database, and the private server behind it if there is one.
pub(super) struct Database {
    pub(super) options: PgConnectOptions,
    pub(super) private: Option<PrivatePostgres>,
}

/// Finds the database, starting the private server if that is what is meant and it does not run.
///
/// # Errors
/// When the URL cannot be read, or the private server cannot be started.
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
    .context("the private database cannot be started")?;
    let options = PgConnectOptions::new_without_pgpass()
        .socket(private.socket_dir())
        .port(private.port())
        .username(private.user())
        .database(private.database());
    Ok(Database { options, private: Some(private) })
}

/// Reads the URL of a database. An error does not quote it: it holds a password.
///
/// # Errors
/// When it is the URL of something else, or of nothing.
pub(super) fn parse(url: &SecretString, setting: &str) -> anyhow::Result<PgConnectOptions> {
    let url = url.expose_secret();
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options = PgConnectOptions::from_str(url).ok().filter(|_| is_postgres);
    options.with_context(|| format!("{setting} is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE"))
}

/// Connects once, so that whoever runs a command is told why that fails, and what to do: a pool would only wait.
///
/// # Errors
/// When the database does not let us in.
pub(super) async fn try_connecting(database: &PgConnectOptions) -> anyhow::Result<()> {
    let connected = match timeout(PATIENCE, PgConnection::connect_with(database)).await {
        Ok(connected) => connected,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    };
    let connection = connected.map_err(|error| {
        let advice = advice_on(&error, database);
        anyhow::Error::new(error).context(advice)
    })?;
    Ok(connection.close().await?)
}

/// What is wrong with a database, and what to do about it. The password is not told.
fn advice_on(error: &sqlx::Error, database: &PgConnectOptions) -> String {
    let place = match database.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", database.get_host(), database.get_port()),
    };
    let (user, name) = (database.get_username(), database.get_database().unwrap_or_default());
    match error.as_database_error().and_then(DatabaseError::code).as_deref() {
        // As PostgreSQL's manual lists them: invalid password and authorization, invalid catalog name, too many
        // connections, cannot connect now.
        Some("28P01" | "28000") => format!(
            "the database at {place} refuses the user {user}; check user and password in DATABASE_URL, and pg_hba.conf there"
        ),
        Some("3D000") => {
            format!("the server at {place} has no database {name}; create it, or name another in DATABASE_URL")
        }
        Some("53300") => {
            format!("the database at {place} has no connection left; raise its max_connections, or end other clients")
        }
        Some("57P03") => format!("the database at {place} is just starting or stopping; try again in a moment"),
        Some(_) => format!("the database at {place} does not let us in"),
        None => format!("the database at {place} cannot be reached; does it run there, as DATABASE_URL says?"),
    }
}

/// What an administrator's command works with.
pub(super) struct Installation {
    pub(super) pool: PgPool,
    /// How the pool's connections are made.
    pub(super) database: PgConnectOptions,
    pub(super) master_keys: MasterKeys,
    /// The one that callback keys are sealed under.
    pub(super) master_key: Arc<MasterKey>,
    /// Whoever runs the command.
    pub(super) actor: Actor,
}

/// What a command does with the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads it as it is: the database itself rejects writes.
    Read,
    /// Changes it, once its schema is up to date.
    Change,
    /// Changes it, and makes one with this number of shards if there is none.
    Make { shards: i16 },
}

/// A new installation, as the service makes it.
pub(super) const MAKE: Access = Access::Make { shards: SHARDS };

/// Runs something on the installation, whether the service runs or not.
///
/// Only [`Access::Make`] makes anything where there is no installation: no folder, database, schema or key otherwise. A
/// missing or wrong master key is an error before anything is written.
///
/// # Errors
/// When there is no installation or it cannot be used, and what `work` fails with.
pub(super) async fn with_installation<T>(
    options: &InstallationOptions,
    access: Access,
    work: impl AsyncFnOnce(&Installation) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let actor = whoever_runs_this();
    let data_dir = DataDir::find(options.data_dir.as_deref())?;
    let makes = matches!(access, Access::Make { .. });
    let place = data_dir.path().display();
    if options.database_url.is_none() && !makes && !PrivatePostgres::exists_in(data_dir.path()) {
        bail!("{place} holds no installation; `serve` makes one, --data-dir or --database-url names another");
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
        if !exists && !makes {
            bail!("the database holds no installation; `serve` makes one, --data-dir or --database-url names another");
        }
        if !exists && master_keys.present()?.is_none() {
            master_keys.make_present()?;
        }
        prepare(&pool, &master_keys, access).await?;
        let master_key = installation::find_master_key(&pool, &master_keys).await?.ok_or(MasterKeyError::Missing)?;
        let installation = Installation { pool, database, master_keys, master_key, actor };
        let worked = work(&installation).await;
        installation.pool.close().await;
        worked
    }
    .await;
    private.map_or(Ok(()), PrivatePostgres::stop).context("the private database did not stop")?;
    worked
}

async fn prepare(pool: &PgPool, master_keys: &MasterKeys, access: Access) -> anyhow::Result<()> {
    let shards = match access {
        Access::Read if installation::is_up_to_date(pool).await? => return Ok(()),
        Access::Read => {
            bail!("the schema of the database is of another version; `migrate` brings an older one up to date")
        }
        Access::Change => SHARDS,
        Access::Make { shards } => shards,
    };
    installation::prepare(pool, master_keys, shards, clock::now()).await?;
    Ok(())
}

/// The secrets to serve with. Those that are not known are made, but no master key where an installation has one.
///
/// # Errors
/// When the master key is missing or wrong, or the database or the data folder cannot be used.
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

/// A command has no token: it is known by the account that runs it. Asked before root acts as the data folder's owner.
fn whoever_runs_this() -> Actor {
    let account = User::from_uid(getuid()).ok().flatten().map(|user| user.name);
    Actor { name: format!("command line ({})", account.as_deref().unwrap_or("unknown account")), token_id: None }
}

/// The API token that is given, or the administrator's.
///
/// # Errors
/// When none is known.
pub(super) fn api_token(options: &InstallationOptions, given: Option<&SecretString>) -> anyhow::Result<SecretString> {
    if let Some(token) = given {
        return Ok(token.clone());
    }
    if let Ok(token) = std::env::var("STREAMTALLY_ADMIN_TOKEN") {
        return Ok(token.into());
    }
    let data_dir = DataDir::find(options.data_dir.as_deref())?;
    data_dir.read_secret(config::ADMIN_TOKEN_FILE)?.context("no API token is known; --token gives one")
}
