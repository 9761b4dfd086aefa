//! The background tasks, which run until the service stops.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::buffered_counters::BufferedCounters;
use super::sampling::Sampler;
use crate::app::connections::Connections;
use crate::app::feed::Feed;
use crate::app::state::AppState;
use crate::config::Role;
use crate::delivery::sender::Sender;
use crate::event_log::drain::Drain;
use crate::platform::clock;
use crate::platform::low_priority::LowPriorityRuntime;
use crate::platform::tls::Certificate;
use crate::polling::poller::Poller;
use crate::reconciler::infer::InferencePolicy;
use crate::reconciler::retention;
use crate::reconciler::run::{
    fold_until_stopped, infer_until_stopped, notify_peers_until_stopped, retain_until_stopped,
};
use crate::registry::installation;
use crate::registry::master_keys::MasterKeys;
use crate::registry::start::prepare_until_done;
use crate::registry::watch::LiveRegistry;
use crate::report::sealed;
use crate::store::installation::InstallationRow;

/// The interval of creating partitions ahead of time. Until then, operators' actions and inferred ends without a
/// partition fail.
const PARTITION_INTERVAL: Duration = Duration::from_mins(1);

/// The interval of the metrics' upkeep, which aggregates measured times: until then, each one is stored separately.
const METRICS_INTERVAL: Duration = Duration::from_secs(1);

/// The thread that sends webhooks.
static SENDING: LowPriorityRuntime = LowPriorityRuntime::new("webhooks");

/// The resources of the tasks.
pub(super) struct Background {
    pub state: Data<AppState>,
    pub connections: Connections,
    pub certificate: Option<Certificate>,
    pub registry: LiveRegistry,
    pub installation: InstallationRow,
    pub master_keys: MasterKeys,
    pub prepared: watch::Sender<bool>,
    pub appended: Arc<Notify>,
    pub work_pool: PgPool,
    /// `None` unless this process folds.
    pub fold_pool: Option<PgPool>,
    /// `None` unless this process receives.
    pub drain: Option<Drain>,
    /// `None` unless this process sends webhooks.
    pub sender: Option<Sender>,
    /// `None` unless this process folds.
    pub poller: Option<Poller>,
    pub feed: Feed,
    pub metrics: PrometheusHandle,
    pub counters: BufferedCounters,
    pub inference_rules: InferencePolicy,
    pub retention_rules: retention::RetentionPolicy,
}

impl Background {
    /// Starts all tasks.
    pub fn spawn(self, stopped: &CancellationToken) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let sampler = Sampler::new(self.state.clone(), self.fold_pool.clone(), self.connections.clone());
        tasks.spawn(tidy_metrics(self.metrics, stopped.clone()));
        tasks.spawn(sampler.run(stopped.clone()));
        tasks.spawn(self.connections.sweep_until_stopped(stopped.clone()));
        tasks.spawn(self.feed.run());
        if let Some(certificate) = self.certificate {
            tasks.spawn(certificate.watch(stopped.clone()));
        }
        let pool = self.work_pool;
        let clock_tolerance = self.state.clock_tolerance;
        let on_database = OnDatabase { prepared: self.prepared.subscribe(), stopped: stopped.clone() };
        tasks.spawn(prepare(pool.clone(), self.master_keys, self.installation, self.prepared, stopped.clone()));
        if self.state.roles.contains(&Role::Receiver) {
            let keeping = keep_rejections(self.state.clone(), pool.clone(), self.registry.clone(), stopped.clone());
            tasks.spawn(on_database.run(keeping));
        }
        tasks.spawn(on_database.run(self.registry.run(stopped.clone())));
        tasks.spawn(on_database.run(make_partitions(pool.clone(), stopped.clone())));
        tasks.spawn(on_database.run(self.counters.write_until_stopped(pool.clone(), stopped.clone())));
        if self.state.roles.contains(&Role::Api) {
            tasks.spawn(on_database.run(sealed::fail_abandoned_until_stopped(pool.clone(), stopped.clone())));
        }
        if let Some(drain) = self.drain {
            tasks.spawn(on_database.run(drain.run(stopped.clone())));
        }
        if let Some(sender) = self.sender {
            tasks.spawn_on(on_database.run(sender.run(stopped.clone())), &SENDING.handle());
        }
        if let Some(poller) = self.poller {
            tasks.spawn(on_database.run(poller.run(stopped.clone())));
        }
        let Some(fold_pool) = self.fold_pool else {
            tasks.spawn(on_database.run(notify_peers_until_stopped(pool, self.appended, stopped.clone())));
            return tasks;
        };
        if !self.retention_rules.keep_all() {
            let rules = self.retention_rules;
            let retaining = retain_until_stopped(pool.clone(), rules, clock_tolerance, stopped.clone());
            tasks.spawn(on_database.run(retaining));
        }
        let appended = Arc::clone(&self.appended);
        let inferring = infer_until_stopped(pool, self.inference_rules, clock_tolerance, appended, stopped.clone());
        tasks.spawn(on_database.run(inferring));
        let folding = Arc::clone(&self.state.folding);
        tasks.spawn(on_database.run(fold_until_stopped(fold_pool, self.appended, folding, stopped.clone())));
        tasks
    }
}

/// Prepares the database if needed, then idles.
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

/// Starts tasks that need the database when it is prepared.
struct OnDatabase {
    prepared: watch::Receiver<bool>,
    stopped: CancellationToken,
}

impl OnDatabase {
    fn run(&self, task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send + 'static {
        let mut prepared = self.prepared.clone();
        let stopped = self.stopped.clone();
        async move {
            let ready = async { prepared.wait_for(|prepared| *prepared).await.is_ok() };
            if stopped.run_until_cancelled(ready).await == Some(true) {
                task.await;
            }
        }
    }
}

async fn keep_rejections(state: Data<AppState>, pool: PgPool, registry: LiveRegistry, stopped: CancellationToken) {
    state.kept_rejections.write_until_stopped(pool, registry, stopped).await;
}

async fn make_partitions(pool: PgPool, stopped: CancellationToken) {
    let mut was_failing = false;
    while stopped.run_until_cancelled(sleep(PARTITION_INTERVAL)).await.is_some() {
        let made = async { installation::make_partitions_ahead(&mut *pool.acquire().await?, clock::now()).await }.await;
        if let (Err(error), false) = (&made, was_failing) {
            let error = error as &dyn std::error::Error;
            tracing::error!(
                error,
                "could not create the log's partitions ahead of time; retrying each minute: partitions exist two \
                 months ahead; check the database if this continues for days"
            );
        }
        was_failing = made.is_err();
    }
}

async fn tidy_metrics(metrics: PrometheusHandle, stopped: CancellationToken) {
    while stopped.run_until_cancelled(sleep(METRICS_INTERVAL)).await.is_some() {
        metrics.run_upkeep();
    }
}
