//! A service under test: its own database, its own port, and a client that knows which status it expects.

use std::panic::Location;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Parser;
use metrics_exporter_prometheus::PrometheusHandle;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{Acquire, AssertSqlSafe, PgPool, PgTransaction, Postgres};
use streamtally::app::connections::Connections;
use streamtally::config::ServeOptions;
use streamtally::http::api_document;
use streamtally::reconciler;
use streamtally::registry::master_key::MasterKey;
use streamtally::registry::master_keys::MasterKeys;
use streamtally::service::{AppDependencies, Application};
use streamtally::store;
use streamtally::store::log::{NewEntryRow, SignatureUseRow};
use streamtally::store::pool::{self, PoolRole};
use streamtally::telemetry;
use tempfile::TempDir;
use test_support::messages::{DOMAIN, KEY};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::schemas::assert_fits;
use crate::server::{TestDatabase, on_citus};

pub const ADMIN_TOKEN: &str = "an-administrators-token-of-the-tests";

/// Timeout of a condition: long enough for a machine whose processors are busy. Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often a condition is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Takes the log, as an append of every shard would.
pub const HOLD_LOG: &str = "update shard_head set position = position";

/// A running service, and what tests need of it.
pub struct TestApp {
    pub pool: PgPool,
    pub client: Client,
    pub address: String,
    pub connections: Connections,
    token: String,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<anyhow::Result<()>>>,
    pub data_dir: TempDir,
    /// Last, so that it is dropped when nothing uses it any more.
    pub database: TestDatabase,
}

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    serve: ServeOptions,
}

impl TestApp {
    /// A service that folds only when a test says so, with one signed domain.
    pub async fn start() -> Self {
        Self::start_with(&["--roles", "receiver,api"]).await
    }

    /// The same with other settings.
    pub async fn start_with(settings: &[&str]) -> Self {
        Self::start_trusting(Client::new(), settings).await
    }

    /// The same, asked by a client of the test's choice.
    pub async fn start_trusting(client: Client, settings: &[&str]) -> Self {
        let mut app = Self::start_empty(TestDatabase::create().await, settings).await;
        app.client = client;
        app.put(&format!("/v1/domains/{DOMAIN}"), &json!({}), 201).await;
        app.post(&format!("/v1/domains/{DOMAIN}/keys"), &json!({ "key": KEY }), 201).await;
        app
    }

    /// A service on a database as it is.
    pub async fn start_empty(database: TestDatabase, settings: &[&str]) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let (address, connections, stop, running) = serve(&database, data_dir.path(), settings).await.unwrap();
        // Tests that cut connections do not mind.
        let pool = PgPool::connect_lazy_with(pool::options(&database.options, PoolRole::Work, false));
        let token = ADMIN_TOKEN.to_owned();
        let client = Client::new();
        let (stop, running) = (Some(stop), Some(running));
        Self { pool, client, address, connections, token, stop, running, data_dir, database }
    }

    /// A second service on the same database: its address, and what stops it when dropped.
    pub async fn start_another(&self, settings: &[&str]) -> (String, oneshot::Sender<()>) {
        let data_dir = tempfile::tempdir_in(self.data_dir.path()).unwrap().keep();
        let (address, _, stop, _) = serve(&self.database, &data_dir, settings).await.unwrap();
        (address, stop)
    }

    /// Stops the service as a signal would; what is in flight is finished.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        self.running.take().unwrap().await.unwrap().unwrap();
    }

    /// Stops the service, and starts another on the same database and in the same data folder.
    pub async fn restart(&mut self, settings: &[&str]) {
        self.stop().await;
        self.start_again(settings).await;
    }

    /// Starts another service after this one was stopped, on the same database and in the same data folder.
    pub async fn start_again(&mut self, settings: &[&str]) {
        let (address, connections, stop, running) =
            serve(&self.database, self.data_dir.path(), settings).await.unwrap();
        (self.address, self.connections) = (address, connections);
        (self.stop, self.running) = (Some(stop), Some(running));
    }

    /// The same service as another caller sees it.
    pub fn with_token(&self, token: &str) -> Caller<'_> {
        Caller { app: self, token: token.to_owned() }
    }

    /// Waits until some statement waits for a lock.
    pub async fn wait_for_a_blocked_statement(&self) {
        let blocked = "select exists (select from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock')";
        // Locks of the log are held where its shards are.
        let anywhere =
            format!("{blocked} or (select bool_or(result::boolean) from run_command_on_workers($${blocked}$$))");
        let query = if on_citus() { anywhere.as_str() } else { blocked };
        until(async || sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&self.pool).await.unwrap()).await;
    }

    /// Keeps every query of a table waiting until what this gives is dropped.
    pub async fn hold_table(&self, table: &str) -> PgTransaction<'static> {
        let mut held = self.pool.begin().await.unwrap();
        let lock = format!("set local idle_in_transaction_session_timeout = 0; lock table {table}");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *held).await.unwrap();
        held
    }

    /// Sends an administrator's request, and cuts its connection when `noticed` is done.
    pub async fn send_and_leave(&self, method: Method, path: &str, body: &str, noticed: impl Future<Output = ()>) {
        let host = self.address.trim_start_matches("http://");
        let mut connection = TcpStream::connect(host).await.unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n");
        let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        connection.write_all(request.as_bytes()).await.unwrap();
        noticed.await;
        // Closed as if the client had crashed: one that only closes its side may still want the answer.
        connection.set_zero_linger().unwrap();
    }

    /// Folds all that is in the log.
    pub async fn fold(&self) -> usize {
        reconciler::fold_to_end(&self.pool).await.unwrap()
    }

    /// Sends a callback, expecting a status.
    pub async fn callback(&self, message: &Value, expected: u16) -> Value {
        self.callback_to("/callbacks/huawei", message.to_string(), expected).await
    }

    /// Sends any body to a callback path, expecting a status.
    pub async fn callback_to(&self, path: &str, body: impl Into<reqwest::Body>, expected: u16) -> Value {
        let request = self.client.post(format!("{}{path}", self.address)).body(body);
        answer(&Method::POST, path, request.send().await.unwrap(), expected).await
    }

    /// Sends a callback to another process, expecting a status.
    pub async fn callback_at(&self, address: &str, message: &Value, expected: u16) {
        assert_eq!(self.try_callback_at(address, message).await, expected, "{message}");
    }

    /// Sends a callback to another process: the status of its answer.
    pub async fn try_callback_at(&self, address: &str, message: &Value) -> u16 {
        let request = self.client.post(format!("{address}/callbacks/huawei")).body(message.to_string());
        request.send().await.unwrap().status().as_u16()
    }

    /// The refused messages, when they are as they should be: they are written down each second.
    pub async fn rejections(&self, expected: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        until(async || expected(&self.list("/v1/rejections?limit=500").await)).await;
        self.list("/v1/rejections?limit=500").await
    }

    /// Sends messages that are accepted, then folds.
    pub async fn receive(&self, messages: &[Value]) {
        for message in messages {
            self.callback(message, 200).await;
        }
        self.fold().await;
    }

    pub async fn get(&self, path: &str, expected: u16) -> Value {
        self.with_token(&self.token).get(path, expected).await
    }

    pub async fn put(&self, path: &str, body: &Value, expected: u16) -> Value {
        self.with_token(&self.token).send(Method::PUT, path, Some(body), expected).await
    }

    pub async fn post(&self, path: &str, body: &Value, expected: u16) -> Value {
        self.with_token(&self.token).send(Method::POST, path, Some(body), expected).await
    }

    pub async fn delete(&self, path: &str, expected: u16) -> Value {
        self.with_token(&self.token).send(Method::DELETE, path, None, expected).await
    }

    /// The rows of a list that fits on one page.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let page = self.get(path, 200).await;
        assert_eq!(page["next_cursor"], Value::Null);
        page["data"].as_array().unwrap().clone()
    }

    /// The only session that fits.
    pub async fn session(&self, filters: &str) -> Value {
        let sessions = self.list(&format!("/v1/sessions?{filters}")).await;
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions[0].clone()
    }

    /// Makes a token.
    pub async fn make_token(&self, scopes: &[&str], domains: Option<&[&str]>) -> String {
        let body = json!({ "name": "of a test", "scopes": scopes, "domains": domains });
        self.post("/v1/tokens", &body, 201).await["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }
}

/// The service as one caller sees it.
pub struct Caller<'a> {
    app: &'a TestApp,
    token: String,
}

impl Caller<'_> {
    pub async fn get(&self, path: &str, expected: u16) -> Value {
        self.send(Method::GET, path, None, expected).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>, expected: u16) -> Value {
        let url = format!("{}{path}", self.app.address);
        let mut request = self.app.client.request(method.clone(), url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        answer(&method, path, request.send().await.unwrap(), expected).await
    }
}

/// The body of an answer that has the expected status, which is documented, and the documented shape.
pub async fn answer(method: &Method, path: &str, response: Response, expected: u16) -> Value {
    let status = response.status();
    let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    assert!(response.headers().contains_key("x-request-id"), "{method} {path} has no id");
    let text = response.text().await.unwrap();
    assert_eq!(status, StatusCode::from_u16(expected).unwrap(), "{method} {path}: {text}");
    let documented = documented(method, path, expected);
    if text.is_empty() {
        return Value::Null;
    }
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| text.clone().into());
    if !status.is_success() {
        assert_eq!(content_type.as_deref(), Some("application/problem+json"), "{method} {path}");
        assert_eq!(body["status"], expected, "{method} {path}: {text}");
        for member in ["type", "title", "detail", "code"] {
            assert!(body[member].is_string(), "{method} {path}: {text}");
        }
    }
    let content = content_type.as_deref().and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if let Some(documented) = documented {
        assert_fits(&format!("{method} {path}"), &documented["content"][content]["schema"], &body);
    }
    body
}

/// What the document of the API says of an answer. Every status that a test sees is there. Of paths that are not, 404 and
/// 405 are expected.
fn documented(method: &Method, path: &str, status: u16) -> Option<&'static Value> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| serde_json::to_value(api_document()).unwrap());
    // A slash at the end is for callbacks alone, and is not in the document.
    let path = path.split('?').next().unwrap();
    let path = if path.starts_with("/callbacks/huawei/") { path.trim_end_matches('/') } else { path };
    let fits = |template: &str| {
        template.split('/').count() == path.split('/').count()
            && template.split('/').zip(path.split('/')).all(|(t, p)| t.starts_with('{') || t == p)
    };
    let Some((_, item)) = document["paths"].as_object().unwrap().iter().find(|(template, _)| fits(template)) else {
        assert!([404, 405].contains(&status), "{method} {path} is not documented, but answers {status}");
        return None;
    };
    let operation = &item[method.as_str().to_lowercase()];
    if operation.is_null() && status == 405 {
        return None;
    }
    let response = &operation["responses"][status.to_string()];
    assert!(!response.is_null(), "{method} {path} answers {status}, which is not documented");
    Some(response)
}

/// Appends entries in one commit, or within a transaction: of a cluster, shard by shard.
pub async fn append_entries(
    log: impl Acquire<'_, Database = Postgres>,
    entries: &[NewEntryRow],
    used_from: DateTime<Utc>,
) -> Result<Vec<SignatureUseRow>, sqlx::Error> {
    let mut log = log.begin().await?;
    let mut entries: Vec<&NewEntryRow> = entries.iter().collect();
    if on_citus() {
        entries.sort_by_key(|entry| entry.shard);
    }
    let mut used = Vec::new();
    for some in entries.chunk_by(|one, other| !on_citus() || one.shard == other.shard) {
        used.extend(store::log::insert_entries(&mut *log, some, used_from).await?);
    }
    log.commit().await?;
    Ok(used)
}

/// Waits until a condition holds. A failure names the caller's line.
#[track_caller]
pub fn until(condition: impl AsyncFn() -> bool) -> impl Future<Output = ()> {
    let caller = Location::caller();
    async move {
        let holds = async {
            while !condition().await {
                // Polling without a pause would take the processor from reports, which run at low priority.
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, holds).await.is_ok();
        assert!(in_time, "{caller}: the condition did not become true");
    }
}

type Serving = (String, Connections, oneshot::Sender<()>, JoinHandle<anyhow::Result<()>>);

/// Starts a service, if it can be.
pub async fn serve(database: &TestDatabase, data_dir: &Path, settings: &[&str]) -> anyhow::Result<Serving> {
    let arguments = ["streamtally", "--listen", "127.0.0.1:0"].into_iter().chain(settings.iter().copied());
    let options = Options::parse_from(arguments).serve;
    let ingredients = AppDependencies {
        data_dir: data_dir.to_owned(),
        database: database.options.clone(),
        read_database: None,
        master_keys: master_keys(),
        admin_token: ADMIN_TOKEN.to_owned().into(),
        certificate: options.certificate().unwrap(),
        metrics: metrics(),
    };
    let application = Application::build(&options, ingredients).await?;
    let address = format!("{}://{}", application.scheme(), application.address());
    let connections = application.connections();
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(application.run_until_stopped(async {
        let _ = stopped.await;
    }));
    Ok((address, connections, stop, running))
}

/// The master key of all these services.
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub fn master_keys() -> MasterKeys {
    let key = MasterKey::from_base64(&MASTER_KEY.to_owned().into()).unwrap();
    MasterKeys::Given { present: Arc::new(key), next: None }
}

fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| telemetry::start_metrics().unwrap()).clone()
}
