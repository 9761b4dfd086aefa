//! The `PostgreSQL` that the tests share: the service's own private server, in a folder that runs use again.
//!
//! It ends with the test process. What a killed run left behind is dropped by the next one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use streamtally::postgres::{Options, PrivatePostgres, Purpose};
use streamtally::store;
use tokio::sync::OnceCell;

const TEMPLATE: &str = "test_template";

/// A database for one test, dropped with it.
pub struct TestDatabase {
    pub options: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// A database with the schema and nothing in it.
    pub async fn create() -> Self {
        static READY: OnceCell<()> = OnceCell::const_new();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        READY.get_or_init(make_template).await;
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        execute(&format!("create database {name} template {TEMPLATE}")).await;
        Self { options: maintenance().database(&name), name }
    }
}

impl TestDatabase {
    /// Cuts all connections to it, and lets no new ones in.
    pub async fn take_away(&self) {
        let name = &self.name;
        execute(&format!("alter database {name} allow_connections false")).await;
        execute(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")).await;
    }

    /// Lets connections in again.
    pub async fn bring_back(&self) {
        execute(&format!("alter database {} allow_connections true", self.name)).await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop_it = format!("drop database {} with (force)", self.name);
        // Dropping is not asynchronous, and the test's own runtime may be gone.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&drop_it));
        });
        dropped.join().unwrap();
    }
}

async fn make_template() {
    let mut connection = PgConnection::connect_with(&maintenance()).await.unwrap();
    let left_behind: Vec<String> = sqlx::query_scalar("select datname from pg_database where datname like 'test\\_%'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    for name in left_behind {
        execute(&format!("drop database {name} with (force)")).await;
    }
    execute(&format!("create database {TEMPLATE}")).await;
    let mut template = PgConnection::connect_with(&maintenance().database(TEMPLATE)).await.unwrap();
    store::MIGRATOR.run(&mut template).await.unwrap();
    template.close().await.unwrap();
}

async fn execute(statement: &str) {
    let mut connection = PgConnection::connect_with(&maintenance()).await.unwrap();
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
}

fn maintenance() -> PgConnectOptions {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
        let data_dir: PathBuf = std::env::temp_dir().join(format!("streamtally-tests-{:016x}", hasher.finish()));
        // These tests are not about durability: those that are start the service itself.
        let quick =
            [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off"), ("max_connections", "400")];
        PrivatePostgres::open(&Options {
            data_dir,
            bin: None,
            purpose: Purpose::Serve,
            parameters: quick.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        })
        .expect("the tests' PostgreSQL starts")
    });
    PgConnectOptions::new_without_pgpass()
        .socket(server.socket_dir())
        .port(server.port())
        .username(server.user())
        .database(server.database())
}
