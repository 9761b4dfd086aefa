//! The application: bound listener, pools, tasks; run until stopped.

mod sampling;
mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::Data;
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access::last_use::LastUses;
use crate::api::cursor_cipher::Sealer;
use crate::app::client_address::TrustedProxies;
use crate::app::connections::Connections;
use crate::app::feed::Feed;
use crate::app::quota::Quota;
use crate::app::room::Room;
use crate::app::state::AppState;
use crate::config::{LimitOptions, Role, ServeOptions};
use crate::event_log::alarm::Alarms;
use crate::event_log::append::Log;
use crate::event_log::drain::Drain;
use crate::event_log::group_commit::{self, Writer};
use crate::event_log::receive::Receiver;
use crate::event_log::spool::Spool;
use crate::huawei::masking::Masker;
use crate::platform::clock;
use crate::platform::local_store::LocalStore;
use crate::platform::tls::Certificate;
use crate::reconciler::infer::Rules;
use crate::reconciler::retention;
use crate::reconciler::run::{fold_until_stopped, infer_until_stopped, retain_until_stopped, tell_until_stopped};
use crate::registry::installation;
use crate::registry::master_keys::MasterKeys;
use crate::registry::start::{Start, prepare_until_done, start};
use crate::registry::watch::LiveRegistry;
use crate::rejection::Rejections;
use crate::report::sealed;
use crate::store::installation::InstallationRow;
use crate::store::pool::{self, Use};
use sampling::Sampler;

/// How often partitions are made ahead: operators' actions and inferred ends that lack one fail until then.
const PARTITIONS: Duration = Duration::from_mins(1);

/// How often notes are written down.
const NOTES: Duration = Duration::from_secs(1);

/// How long that may take: the service does not wait for it to stop.
const NOTES_PATIENCE: Duration = Duration::from_secs(2);

/// How often metrics are tidied: until then, each time that was measured is kept by itself.
const METRICS: Duration = Duration::from_secs(1);

/// How many requests a token may have under way: half of the connections for queries, so that slow ones of one token
/// leave as many to all others. How many there are in all is limited by the connections.
const MAX_REQUESTS_PER_TOKEN: usize = 6;

/// How many reports may be sealed at a time, with one token and in all.
const MAX_SEALINGS_PER_TOKEN: usize = 4;
const MAX_SEALINGS: usize = 8;

/// What an application is made of, beside its settings.
pub struct Ingredients {
    pub data_dir: PathBuf,
    pub database: PgConnectOptions,
    /// Where queries go; to the same database when `None`.
    pub read_database: Option<PgConnectOptions>,
    pub master_keys: MasterKeys,
    pub admin_token: SecretString,
    /// What HTTPS is served with; plain HTTP when `None`.
    pub certificate: Option<Certificate>,
    pub metrics: PrometheusHandle,
}

/// A service that is ready to run: its socket is bound, its database is ready.
pub struct Application {
    state: Data<AppState>,
    server: Server,
    address: SocketAddr,
    certificate: Option<Certificate>,
    connections: Connections,
    writer: Writer,
    drain: Option<Drain>,
    registry: LiveRegistry,
    installation: InstallationRow,
    master_keys: MasterKeys,
    prepared: watch::Sender<bool>,
    store: Option<Arc<LocalStore>>,
    appended: Arc<Notify>,
    work_pool: PgPool,
    feed: Feed,
    stopping: CancellationToken,
    fold_pool: Option<PgPool>,
    metrics: PrometheusHandle,
    notes: Notes,
    inference_rules: Rules,
    retention_rules: retention::Rules,
}

impl Application {
    /// Makes the database ready, loads the registry, and binds the socket. While the database is away, a process that
    /// receives does so with the registry that it knew last.
    ///
    /// # Errors
    /// When the database cannot be made ready, the master key is not its own, or the address is taken.
    #[expect(clippy::too_many_lines, reason = "an outline: a line for each part of the service")]
    pub async fn build(options: &ServeOptions, ingredients: Ingredients) -> anyhow::Result<Self> {
        let Ingredients { data_dir, database, read_database, master_keys, admin_token, certificate, metrics } =
            ingredients;
        let (retention_rules, work_pool) = (options.retention_rules()?, pool::open(&database, Use::Work, false));
        let OnDisk { store, spool } = OnDisk::open(options, &data_dir).await?;
        let waiting = spool.as_ref().is_some_and(|spool| !spool.is_empty());
        let start = start(&work_pool, &master_keys, store.as_deref(), waiting).await?;
        let registry =
            LiveRegistry::new(work_pool.clone(), master_keys.clone(), admin_token.into(), store.clone(), &start).await;
        let Start { registry: rows, master_key, prepared } = start;
        let fingerprints = master_key.derive("streamtally: fingerprints of credentials");
        let sealer = Sealer::new(&master_key.derive("streamtally: cursors"));
        let (stopping, prepared) = (CancellationToken::new(), watch::Sender::new(prepared));
        let (limits, capacity) = (options.admission.limits(), usize::try_from(options.queue_capacity)?);
        let appended = Arc::<Notify>::default();
        let (folds, distributed) = (options.roles.contains(&Role::Reconciler), rows.installation.distributed);
        let log = |purpose| Log::new(&database, purpose, limits, distributed);
        let (queue, writer) =
            group_commit::open(capacity, log(Use::Append), spool.clone(), prepared.subscribe(), Arc::clone(&appended));
        let (alarms, notes) = (Arc::<Alarms>::default(), Notes::default());
        let trusted_proxies = TrustedProxies::from(options.trusted_proxies.clone());
        let connections = Connections::new(room(options.limits, trusted_proxies.clone())?);
        let drain =
            spool.clone().map(|spool| Drain::new(spool, log(Use::Drain), Arc::clone(&alarms), Arc::clone(&appended)));
        let [query_pool, report_pool] = [Use::Query, Use::Report]
            .map(|purpose| pool::open(read_database.as_ref().unwrap_or(&database), purpose, false));
        let feed = Feed::new(query_pool.clone(), sealer.clone(), options.unconfirmed_after, stopping.clone());
        let masker = Masker::new(&fingerprints, &options.mask_parameters);
        let state = Data::new(AppState {
            registry: registry.clone(),
            appended: Arc::clone(&appended),
            rejections: Arc::clone(&notes.rejections),
            alarms,
            last_uses: Arc::clone(&notes.last_uses),
            receiver: Receiver { log: queue, limits, masker, shards: rows.installation.shards },
            spool,
            roles: options.roles.clone(),
            trusted_proxies,
            certificate: certificate.as_ref().map(Certificate::validity),
            query_pool,
            report_pool,
            work_pool: work_pool.clone(),
            unconfirmed_after: options.unconfirmed_after,
            clock_tolerance: options.clock.clock_tolerance,
            folding: Arc::new(AtomicBool::new(true)),
            feed: feed.clone(),
            requests: Quota::new("requests at a time", MAX_REQUESTS_PER_TOKEN, Semaphore::MAX_PERMITS),
            listeners: listener_quota(options.limits)?,
            sealings: Quota::new("reports being sealed", MAX_SEALINGS_PER_TOKEN, MAX_SEALINGS),
            sealer,
            metrics: metrics.clone(),
        });
        let (server, address) = server::bind(options, state.clone(), certificate.as_ref(), connections.clone())?;
        Ok(Self {
            server,
            address,
            certificate,
            connections,
            writer,
            drain,
            registry,
            installation: rows.installation,
            master_keys,
            prepared,
            store,
            appended,
            work_pool,
            feed,
            stopping,
            fold_pool: folds.then(|| pool::open(&database, Use::Fold, distributed)),
            state,
            metrics,
            notes,
            inference_rules: options.inference_rules(),
            retention_rules,
        })
    }

    /// What handlers share.
    pub fn state(&self) -> Data<AppState> {
        self.state.clone()
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connections that are open. Swept by itself while the application runs.
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// How it is spoken to there: `https`, else `http`.
    pub fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    /// Serves until `stop` is done; then answers what is in flight, writes what is queued, and returns.
    ///
    /// # Errors
    /// When a part of the service failed.
    pub async fn run_until_stopped(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let (handle, connections) = (self.server.handle(), self.connections.clone());
        let (stop_writing, stop_working) = (CancellationToken::new(), CancellationToken::new());
        let clock_tolerance = self.state.clock_tolerance;
        let mut tasks = JoinSet::new();
        let (pool, stopped) = (self.work_pool, stop_working.clone());
        tasks.spawn(tidy_metrics(self.metrics, stopped.clone()));
        tasks.spawn(Sampler::new(self.state.clone(), self.fold_pool.clone(), connections.clone()).run(stopped.clone()));
        tasks.spawn(self.connections.sweep_until_stopped(stopped.clone()));
        if let Some(certificate) = self.certificate {
            tasks.spawn(certificate.watch(stopped.clone()));
        }
        let on_database = OnDatabase { prepared: self.prepared.subscribe(), stopped: stopped.clone() };
        tasks.spawn(prepare(pool.clone(), self.master_keys, self.installation, self.prepared, stopped.clone()));
        tasks.spawn(self.feed.run());
        tasks.spawn(on_database.run(self.registry.run(stopped.clone())));
        tasks.spawn(on_database.run(make_partitions(pool.clone(), stopped.clone())));
        tasks.spawn(on_database.run(self.notes.write_until_stopped(pool.clone(), stopped.clone())));
        if self.state.roles.contains(&Role::Api) {
            tasks.spawn(on_database.run(sealed::fail_abandoned_until_stopped(pool.clone(), stopped.clone())));
        }
        if let Some(drain) = self.drain {
            tasks.spawn(on_database.run(drain.run(stopped.clone())));
        }
        if let Some(fold_pool) = self.fold_pool {
            if !self.retention_rules.keep_all() {
                let rules = self.retention_rules;
                let retaining = retain_until_stopped(pool.clone(), rules, clock_tolerance, stopped.clone());
                tasks.spawn(on_database.run(retaining));
            }
            let (rules, appended) = (self.inference_rules, Arc::clone(&self.appended));
            let inferring = infer_until_stopped(pool.clone(), rules, clock_tolerance, appended, stopped.clone());
            tasks.spawn(on_database.run(inferring));
            tasks.spawn(on_database.run(fold_until_stopped(
                fold_pool,
                self.appended,
                Arc::clone(&self.state.folding),
                stopped,
            )));
        } else {
            tasks.spawn(on_database.run(tell_until_stopped(pool, self.appended, stopped)));
        }
        let mut writing = tokio::spawn(self.writer.run(stop_writing.clone()));
        let mut serving = tokio::spawn(self.server);
        let ended = tokio::select! {
            () = stop => Ok(()),
            served = &mut serving => served.context("the server failed")?.context("the server stopped"),
            Some(task) = tasks.join_next() => task.context("a task of the service failed"),
            writer = &mut writing => writer.context("writing to the log failed"),
        };
        tracing::info!("stopping");
        // Who listens to changes would else be waited for.
        self.stopping.cancel();
        connections.announce_stop().await;
        handle.stop(true).await;
        stop_writing.cancel();
        if !writing.is_finished() {
            writing.await.context("writing to the log failed")?;
        }
        stop_working.cancel();
        while let Some(task) = tasks.join_next().await {
            task.context("a task of the service failed")?;
        }
        if let Some(store) = self.store {
            store.close().await;
        }
        ended
    }
}

fn room(limits: LimitOptions, trusted_proxies: TrustedProxies) -> anyhow::Result<Room> {
    let (in_all, per_address) = (limits.max_connections, limits.max_connections_per_address);
    Ok(Room::new(usize::try_from(in_all)?, usize::try_from(per_address)?, trusted_proxies))
}

fn listener_quota(limits: LimitOptions) -> anyhow::Result<Quota> {
    let (per_token, in_all) = (limits.max_listeners_per_token, limits.max_listeners);
    Ok(Quota::new("listeners to changes", usize::try_from(per_token)?, usize::try_from(in_all)?))
}

/// What a process that receives has on disk: the local store, and the spool in it.
struct OnDisk {
    store: Option<Arc<LocalStore>>,
    spool: Option<Arc<Spool>>,
}

impl OnDisk {
    async fn open(options: &ServeOptions, data_dir: &Path) -> anyhow::Result<Self> {
        if !options.roles.contains(&Role::Receiver) {
            return Ok(Self { store: None, spool: None });
        }
        let store = Arc::new(LocalStore::open(data_dir)?);
        let capacity_bytes = u64::from(options.spool_capacity) << 20;
        let spool = Spool::open(Arc::clone(&store), capacity_bytes).await?;
        Ok(Self { store: Some(store), spool: Some(Arc::new(spool)) })
    }
}

/// Makes the database ready if it was not, and then rests.
async fn prepare(
    pool: PgPool,
    master_keys: MasterKeys,
    expected: InstallationRow,
    prepared: watch::Sender<bool>,
    stopped: CancellationToken,
) {
    stopped.run_until_cancelled(prepare_until_done(&pool, &master_keys, &expected, &prepared)).await;
    stopped.cancelled().await;
}

/// Lets tasks that work on the database begin when it is ready.
struct OnDatabase {
    prepared: watch::Receiver<bool>,
    stopped: CancellationToken,
}

impl OnDatabase {
    fn run(&self, task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send + 'static {
        let (mut prepared, stopped) = (self.prepared.clone(), self.stopped.clone());
        async move {
            let ready = async { prepared.wait_for(|prepared| *prepared).await.is_ok() };
            if stopped.run_until_cancelled(ready).await == Some(true) {
                task.await;
            }
        }
    }
}

async fn make_partitions(pool: PgPool, stopped: CancellationToken) {
    let mut was_failing = false;
    while stopped.run_until_cancelled(tokio::time::sleep(PARTITIONS)).await.is_some() {
        let made = async { installation::make_partitions_ahead(&mut *pool.acquire().await?, clock::now()).await }.await;
        if let (Err(error), false) = (&made, was_failing) {
            let error = error as &dyn std::error::Error;
            tracing::error!(
                error,
                "partitions of the log could not be made ahead; trying again each minute: there is room for two more \
                 months; see to the database if this goes on for days"
            );
        }
        was_failing = made.is_err();
    }
}

/// What is noted in memory and written to the database each second: nothing that a session or a bill depends on.
#[derive(Clone, Default)]
struct Notes {
    rejections: Arc<Rejections>,
    last_uses: Arc<LastUses>,
}

impl Notes {
    async fn write_until_stopped(self, pool: PgPool, stopped: CancellationToken) {
        let mut failing = false;
        loop {
            let stopping = stopped.run_until_cancelled(tokio::time::sleep(NOTES)).await.is_none();
            let written = timeout(NOTES_PATIENCE, self.write(&pool)).await;
            let written = written.unwrap_or(Err(sqlx::Error::PoolTimedOut));
            if let (Err(error), false) = (&written, failing) {
                let error = error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "counts of refused messages and uses of tokens cannot be written down: they are kept in memory \
                     until the database takes them"
                );
            }
            failing = written.is_err();
            if stopping {
                return;
            }
        }
    }

    async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        self.last_uses.write(pool).await?;
        self.rejections.write(pool, clock::now()).await
    }
}

async fn tidy_metrics(metrics: PrometheusHandle, stopped: CancellationToken) {
    while stopped.run_until_cancelled(tokio::time::sleep(METRICS)).await.is_some() {
        metrics.run_upkeep();
    }
}
