//! The `PostgreSQL` that the tests share: the service's own private server, in a folder that runs use again. It ends with
//! the test process. Databases are made by its superuser, and belong to the service's role, which tests connect as.
//!
//! With `STREAMTALLY_TEST_CITUS_URL`, the URL of a coordinator for a superuser, it is that Citus cluster instead: each test's
//! database is made on all of its nodes. One run at a time.
//!
//! What a killed run left behind is dropped by the next one.

use std::fs::Permissions;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use private_postgres::{LockHolder, Options, PrivatePostgres};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use streamtally::store;
use tokio::sync::OnceCell;

const TEMPLATE: &str = "test_template";

/// Names the cluster to test on.
const CLUSTER: &str = "STREAMTALLY_TEST_CITUS_URL";

/// The service's role, as in any data folder of its own.
const ROLE: &str = "streamtally";

/// Where databases are made: the server; of a cluster the coordinator, then its workers. Each as a superuser, and its
/// name.
type Node = (PgConnectOptions, String);
static NODES: OnceCell<Vec<Node>> = OnceCell::const_new();

/// A database for one test, dropped with it.
pub struct TestDatabase {
    pub options: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// A database with the schema and nothing in it.
    pub async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (server, _) = &NODES.get_or_init(prepare).await[0];
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        on_each_node(&format!("create database {name} template {TEMPLATE} {}", owned())).await;
        Self { options: of_service(server).database(&name), name }
    }
}

impl TestDatabase {
    /// Cuts all connections to it, and lets no new ones in.
    pub async fn take_away(&self) {
        shut(NODES.get().unwrap(), &self.name).await;
    }

    /// Lets connections in again.
    pub async fn bring_back(&self) {
        on_each_node(&format!("alter database {} allow_connections true", self.name)).await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = self.name.clone();
        // Dropping is not asynchronous, and the test's own runtime may be gone.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(drop_database(NODES.get().unwrap(), &name));
        });
        dropped.join().unwrap();
    }
}

/// Whether the tests' databases are those of a cluster.
pub fn on_citus() -> bool {
    std::env::var_os(CLUSTER).is_some()
}

/// The same server, as the service connects: on a cluster, whose URL has no other role, as that superuser.
fn of_service(node: &PgConnectOptions) -> PgConnectOptions {
    if on_citus() { node.clone() } else { node.clone().username(ROLE) }
}

/// Whose a database is.
fn owned() -> String {
    if on_citus() { String::new() } else { format!("owner {ROLE}") }
}

/// The most shards that are folded in one transaction.
pub fn shards_a_transaction() -> usize {
    if on_citus() { 1 } else { usize::MAX }
}

/// Whether a test cannot be done on a cluster; says so, and why.
pub fn skipped_on_citus(reason: &str) -> bool {
    if on_citus() {
        say(&format!("skipped on Citus: {reason}"));
    }
    on_citus()
}

/// Says something that is seen whatever becomes of the tests.
#[expect(clippy::explicit_write, reason = "what the macro writes is kept back unless a test fails")]
fn say(words: &str) {
    writeln!(std::io::stderr(), "{words}").unwrap();
}

/// The nodes, with the template of the tests' databases on each.
async fn prepare() -> Vec<Node> {
    let nodes = if let Ok(url) = std::env::var(CLUSTER) {
        nodes_of_cluster(&url.parse().unwrap()).await
    } else {
        say(&format!("skipped: these tests on a Citus cluster, which {CLUSTER} would name"));
        vec![(private_server(), String::new())]
    };
    for node in &nodes {
        let mut connection = PgConnection::connect_with(&node.0).await.unwrap();
        let left_behind = "select datname from pg_database where datname like 'test\\_%'";
        let left_behind: Vec<String> = sqlx::query_scalar(left_behind).fetch_all(&mut connection).await.unwrap();
        for name in left_behind {
            drop_database(std::slice::from_ref(node), &name).await;
        }
    }
    on_each(&nodes, &format!("create database {TEMPLATE} {}", owned())).await;
    let mut template = PgConnection::connect_with(&of_service(&nodes[0].0).database(TEMPLATE)).await.unwrap();
    if nodes.len() > 1 {
        join_cluster(&mut template, &nodes).await;
    }
    store::MIGRATOR.run(&mut template).await.unwrap();
    template.close().await.unwrap();
    // No database is copied while it is used.
    shut(&nodes, TEMPLATE).await;
    nodes
}

async fn nodes_of_cluster(coordinator: &PgConnectOptions) -> Vec<Node> {
    let mut connection = PgConnection::connect_with(coordinator).await.unwrap();
    let nodes = "select nodename, nodeport from pg_dist_node where isactive order by groupid";
    let nodes: Vec<(String, i32)> = sqlx::query_as(nodes).fetch_all(&mut connection).await.unwrap();
    assert!(nodes.len() > 1, "{CLUSTER} is the URL of a coordinator that knows itself and its workers");
    let node = |(host, port): (String, i32)| {
        let options = coordinator.clone().host(&host).port(u16::try_from(port).unwrap());
        // Each node is told by itself.
        (options.options([("citus.enable_create_database_propagation", "off")]), format!("'{host}', {port}"))
    };
    nodes.into_iter().map(node).collect()
}

/// Makes a database that is on all nodes one of the cluster.
async fn join_cluster(coordinator: &mut PgConnection, nodes: &[Node]) {
    let of_template: Vec<_> =
        nodes.iter().map(|(node, name)| (node.clone().database(TEMPLATE), name.clone())).collect();
    on_each(&of_template, "create extension citus").await;
    let (_, coordinators) = &nodes[0];
    let mut statements = vec![
        format!("select citus_set_coordinator_host({coordinators})"),
        // A few are enough, and are quickly made.
        "set citus.shard_count = 6".to_owned(),
    ];
    statements.extend(nodes[1..].iter().map(|(_, name)| format!("select citus_add_node({name})")));
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *coordinator).await.unwrap();
    }
}

/// Cuts all connections to a database, and lets no new ones in: not those of Citus, either, which has a process of its own in
/// each.
async fn shut(nodes: &[Node], name: &str) {
    on_each(nodes, &format!("alter database {name} allow_connections false")).await;
    let cut = format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}'");
    on_each(nodes, &cut).await;
}

async fn drop_database(nodes: &[Node], name: &str) {
    // One server ends by itself what still uses it.
    if nodes.len() > 1 {
        shut(nodes, name).await;
    }
    on_each(nodes, &format!("drop database {name} with (force)")).await;
}

async fn on_each_node(statement: &str) {
    on_each(NODES.get().unwrap(), statement).await;
}

async fn on_each(nodes: &[Node], statement: &str) {
    join_all(nodes.iter().map(async |(node, _)| {
        let mut connection = PgConnection::connect_with(node).await.unwrap();
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }))
    .await;
}

fn private_server() -> PgConnectOptions {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
        let name = format!("streamtally-databases-of-tests-{:016x}", hasher.finish());
        let data_dir: PathBuf = std::env::temp_dir().join(&name);
        // Whoever gets to the socket may be any role.
        let rules = std::env::temp_dir().join(format!("{name}.pg_hba.conf"));
        std::fs::write(&rules, "local all all trust\n").unwrap();
        std::fs::set_permissions(&rules, Permissions::from_mode(0o644)).unwrap();
        // These tests are not about durability: those that are start the service itself.
        let quick = [
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
            ("max_connections", "400"),
            ("shared_buffers", "256MB"),
            ("hba_file", rules.to_str().unwrap()),
        ];
        PrivatePostgres::open(&Options {
            data_dir,
            bin: None,
            holder: LockHolder::Serve,
            parameters: quick.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        })
        .expect("the tests' PostgreSQL starts")
    });
    PgConnectOptions::new_without_pgpass()
        .socket(server.socket_dir())
        .port(server.port())
        .username("postgres")
        .database(server.database())
}
