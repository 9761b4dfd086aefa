//! What handlers share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::TimeDelta;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::access::last_use::LastUses;
use crate::api::cursor_cipher::Sealer;
use crate::app::client_address::TrustedProxies;
use crate::app::feed::Feed;
use crate::app::quota::Quota;
use crate::config::Role;
use crate::event_log::alarm::Alarms;
use crate::event_log::receive::Receiver;
use crate::event_log::spool::Spool;
use crate::platform::tls::ValidityOfServed;
use crate::registry::watch::LiveRegistry;
use crate::rejection::Rejections;

/// What handlers share. Made once, read by all.
pub struct AppState {
    /// Who may send and who may read.
    pub registry: LiveRegistry,
    /// What becomes of received messages.
    pub receiver: Receiver,
    /// What waits for the database, where this process receives.
    pub spool: Option<Arc<Spool>>,
    /// What this process does.
    pub roles: Vec<Role>,
    /// Tells when the certificate expires, where one is served.
    pub certificate: Option<ValidityOfServed>,
    /// Whose word counts on where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// Told when the log has grown.
    pub appended: Arc<Notify>,
    /// Counts refused messages.
    pub rejections: Arc<Rejections>,
    /// Says that signatures are used for more than they were made for.
    pub alarms: Arc<Alarms>,
    /// Notes when tokens are used.
    pub last_uses: Arc<LastUses>,
    /// Connections for queries.
    pub query_pool: PgPool,
    /// Connections for reports.
    pub report_pool: PgPool,
    /// Connections for administration.
    pub work_pool: PgPool,
    /// How long a session may be live before it is unconfirmed.
    pub unconfirmed_after: TimeDelta,
    /// How far the clocks of the service and its database may differ.
    pub clock_tolerance: TimeDelta,
    /// Whether folding goes on, where this process folds.
    pub folding: Arc<AtomicBool>,
    /// How many requests each token may have under way.
    pub requests: Quota,
    /// Tells what changes.
    pub feed: Feed,
    /// How many may listen to it.
    pub listeners: Quota,
    /// How many reports may be sealed at a time.
    pub sealings: Quota,
    /// Seals what callers hold for us.
    pub sealer: Sealer,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}
