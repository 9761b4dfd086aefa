//! The application: builds the listener, pools and tasks, and runs until stopped.

mod background;
mod buffered_counters;
mod sampling;
mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::dev::Server;
use actix_web::web::Data;
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::api::cursor_cipher::CursorCipher;
use crate::app::client_address::TrustedProxies;
use crate::app::connections::Connections;
use crate::app::feed::Feed;
use crate::app::page_caches::PageCaches;
use crate::app::quota::Quota;
use crate::app::room::Room;
use crate::app::state::AppState;
use crate::config::{LimitOptions, Role, ServeOptions};
use crate::delivery::feed::Feed as WebhookFeed;
use crate::delivery::sender::Sender;
use crate::delivery::{upkeep, worker};
use crate::event_log::alarm::Alarms;
use crate::event_log::append::Log;
use crate::event_log::drain::Drain;
use crate::event_log::group_commit::{self, Writer};
use crate::event_log::receive::{Admitter, Receiver};
use crate::event_log::spool::Spool;
use crate::platform::local_store::LocalStore;
use crate::platform::tls::Certificate;
use crate::polling::poller::{self, Poller};
use crate::registry::RegistryRows;
use crate::registry::master_keys::MasterKeys;
use crate::registry::start::{Start, start};
use crate::registry::watch::LiveRegistry;
use crate::rejection::kept::KeptRejections;
use crate::store::pool::{self, PoolRole};
use background::Background;
use buffered_counters::BufferedCounters;

/// The most concurrent requests of one token: half of the connections for queries, so that slow requests of one token
/// leave as many connections to all others. The total is limited by the connections.
const MAX_REQUESTS_PER_TOKEN: usize = 6;

/// The most reports that are sealed concurrently, for one token and in total.
const MAX_SEALINGS_PER_TOKEN: usize = 4;
const MAX_SEALINGS: usize = 8;

/// The most workbooks that are made concurrently, for one token and in total. Each takes space in the temporary folder.
const MAX_WORKBOOKS_PER_TOKEN: usize = 2;
const MAX_WORKBOOKS: usize = 4;

/// The dependencies of an application, in addition to its settings.
pub struct AppDependencies {
    pub data_dir: PathBuf,
    pub database: PgConnectOptions,
    /// The database for queries; the same database when `None`.
    pub read_database: Option<PgConnectOptions>,
    pub master_keys: MasterKeys,
    pub admin_token: SecretString,
    /// Serves HTTPS; plain HTTP when `None`.
    pub certificate: Option<Certificate>,
    pub metrics: PrometheusHandle,
}

/// A service that is ready to run: its socket is bound, and its registry loaded.
pub struct Application {
    state: Data<AppState>,
    server: Server,
    address: SocketAddr,
    scheme: &'static str,
    writer: Writer,
    local_store: Option<Arc<LocalStore>>,
    background: Background,
    stopping: CancellationToken,
}

impl Application {
    /// Prepares the database, loads the registry, and binds the socket. While the database is unreachable, a receiving
    /// process starts with its cached registry.
    #[expect(clippy::too_many_lines, reason = "one line for each part of the service")]
    pub async fn build(options: &ServeOptions, dependencies: AppDependencies) -> anyhow::Result<Self> {
        let AppDependencies { data_dir, database, read_database, master_keys, admin_token, certificate, metrics } =
            dependencies;
        let retention_rules = options.retention_rules()?;
        let pools = Pools::open(&database, read_database.as_ref());

        let OnDisk { local_store, spool } = OnDisk::open(options, &data_dir).await?;
        let has_waiting = spool.as_ref().is_some_and(|spool| !spool.is_empty());
        let start = start(&pools.work, &master_keys, local_store.as_deref(), has_waiting).await?;
        let pool = pools.work.clone();
        let keys = master_keys.clone();
        let cache = local_store.clone();
        let registry = LiveRegistry::new(pool, keys, admin_token.into(), cache, &start).await;
        let Start { registry: RegistryRows { installation, .. }, master_key, prepared } = start;
        let prepared = watch::Sender::new(prepared);

        let alarms = Arc::<Alarms>::default();
        let appended = Arc::<Notify>::default();
        let limits = options.admission.limits();
        let log = |role| Log::new(&database, role, limits, installation.distributed);
        let capacity = usize::try_from(options.queue_capacity)?;
        let told = Arc::clone(&appended);
        let (queue, writer) =
            group_commit::open(capacity, log(PoolRole::Append), spool.clone(), prepared.subscribe(), told);
        let drain = |spool| Drain::new(spool, log(PoolRole::Drain), Arc::clone(&alarms), Arc::clone(&appended));
        let drain = spool.clone().map(drain);
        let admitter = Admitter::new(limits, &master_key, &options.masking.mask_parameters, installation.shards);
        let receiver = Receiver { log: queue, admitter };
        let kept_rejections = Arc::new(KeptRejections::new(options.keeping_policy()));

        let folds = options.roles.contains(&Role::Reconciler);
        let fold_pool = folds.then(|| pool::open(&database, PoolRole::Fold, installation.distributed));

        let stopping = CancellationToken::new();
        let cipher = CursorCipher::new(&master_key.derive("streamtally: cursors"));
        let feed = Feed::new(pools.query.clone(), cipher.clone(), options.unconfirmed_after, stopping.clone());
        let transport = options.webhooks.transport(installation.installation_id)?;
        let sends = options.roles.contains(&Role::Sender);
        let sender = sends.then(|| {
            upkeep::register_metrics();
            worker::register_metrics();
            let pool = pool::open(&database, PoolRole::Send, installation.distributed);
            let feed = WebhookFeed { pool: pool.clone(), installation_id: installation.installation_id };
            let upkeep = options.webhooks.upkeep_policy(options.unconfirmed_after);
            Sender { pool, feed, transport: transport.clone(), master_keys: master_keys.clone(), upkeep }
        });
        let provider = options.polling.client(&options.webhooks)?;
        let poller = folds.then(|| {
            poller::register_metrics();
            Poller {
                pool: pool::open(&database, PoolRole::Poll, installation.distributed),
                shards: installation.shards,
                client: provider.clone(),
                master_keys: master_keys.clone(),
                clock_tolerance: options.clock.clock_tolerance,
                unconfirmed_after: options.unconfirmed_after,
                close_unconfirmed_after: options.close_unconfirmed_after,
            }
        });
        let counters = BufferedCounters::default();
        let trusted_proxies = TrustedProxies::from(options.trusted_proxies.clone());
        let connections = Connections::new(room(options.limits, trusted_proxies.clone())?);
        let state = Data::new(AppState {
            registry: registry.clone(),
            appended: Arc::clone(&appended),
            rejections: Arc::clone(&counters.rejections),
            kept_rejections,
            alarms,
            last_uses: Arc::clone(&counters.last_uses),
            receiver,
            spool,
            roles: options.roles.clone(),
            trusted_proxies,
            certificate: certificate.as_ref().map(Certificate::validity),
            query_pool: pools.query,
            report_pool: pools.report,
            work_pool: pools.work.clone(),
            unconfirmed_after: options.unconfirmed_after,
            time_zone: options.time_zone,
            clock_tolerance: options.clock.clock_tolerance,
            folding: Arc::new(AtomicBool::new(true)),
            feed: feed.clone(),
            requests: Quota::new("concurrent requests", MAX_REQUESTS_PER_TOKEN, Semaphore::MAX_PERMITS),
            listeners: listener_quota(options.limits)?,
            sealings: Quota::new("reports being sealed", MAX_SEALINGS_PER_TOKEN, MAX_SEALINGS),
            workbooks: Quota::new("workbooks being made", MAX_WORKBOOKS_PER_TOKEN, MAX_WORKBOOKS),
            page_caches: PageCaches::default(),
            cipher,
            transport,
            provider,
            metrics: metrics.clone(),
        });
        let (server, address) = server::bind(options, state.clone(), certificate.as_ref(), connections.clone())?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let background = Background {
            state: state.clone(),
            connections,
            certificate,
            registry,
            installation,
            master_keys,
            prepared,
            appended,
            work_pool: pools.work,
            fold_pool,
            drain,
            sender,
            poller,
            feed,
            metrics,
            counters,
            inference_rules: options.inference_rules(),
            retention_rules,
        };
        Ok(Self { state, server, address, scheme, writer, local_store, background, stopping })
    }

    /// The state that handlers share.
    pub fn state(&self) -> Data<AppState> {
        self.state.clone()
    }

    /// The address that the service listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The open connections. They are swept while the application runs.
    pub fn connections(&self) -> Connections {
        self.background.connections.clone()
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Serves until `stop` completes; then finishes requests in flight, writes queued callbacks, and returns.
    pub async fn run_until_stopped(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let handle = self.server.handle();
        let connections = self.background.connections.clone();
        let stop_writing = CancellationToken::new();
        let stop_working = CancellationToken::new();
        let mut tasks = self.background.spawn(&stop_working);
        let mut writing = tokio::spawn(self.writer.run(stop_writing.clone()));
        let mut serving = tokio::spawn(self.server);
        let ended = tokio::select! {
            () = stop => Ok(()),
            served = &mut serving => served.context("the server failed")?.context("the server stopped"),
            Some(task) = tasks.join_next() => task.context("a task of the service failed"),
            writer = &mut writing => writer.context("writing to the log failed"),
        };
        tracing::info!("stopping");
        // Ends the streams of listeners to changes, which would never end by themselves.
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
        if let Some(local_store) = self.local_store {
            local_store.close().await;
        }
        ended
    }
}

/// The connection pools, separate by purpose.
struct Pools {
    work: PgPool,
    query: PgPool,
    report: PgPool,
}

impl Pools {
    fn open(database: &PgConnectOptions, read_database: Option<&PgConnectOptions>) -> Self {
        let read_database = read_database.unwrap_or(database);
        Self {
            work: pool::open(database, PoolRole::Work, false),
            query: pool::open(read_database, PoolRole::Query, false),
            report: pool::open(read_database, PoolRole::Report, false),
        }
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

/// The files of a receiving process: the local store, with the spool.
struct OnDisk {
    local_store: Option<Arc<LocalStore>>,
    spool: Option<Arc<Spool>>,
}

impl OnDisk {
    async fn open(options: &ServeOptions, data_dir: &Path) -> anyhow::Result<Self> {
        if !options.roles.contains(&Role::Receiver) {
            return Ok(Self { local_store: None, spool: None });
        }
        let local_store = Arc::new(LocalStore::open(data_dir)?);
        let capacity_bytes = u64::from(options.spool_capacity) << 20;
        let spool = Spool::open(Arc::clone(&local_store), capacity_bytes).await?;
        Ok(Self { local_store: Some(local_store), spool: Some(Arc::new(spool)) })
    }
}
