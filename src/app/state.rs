//! What handlers share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::TimeDelta;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::access::last_use::LastUses;
use crate::api::cursor_cipher::CursorCipher;
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
    pub registry: LiveRegistry,
    pub receiver: Receiver,
    /// What waits for the database, where this process receives.
    pub spool: Option<Arc<Spool>>,
    pub roles: Vec<Role>,
    /// Tells when the certificate expires, where one is served.
    pub certificate: Option<ValidityOfServed>,
    pub trusted_proxies: TrustedProxies,
    pub appended: Arc<Notify>,
    pub rejections: Arc<Rejections>,
    /// Says that signatures are used for more than they were made for.
    pub alarms: Arc<Alarms>,
    pub last_uses: Arc<LastUses>,
    pub query_pool: PgPool,
    pub report_pool: PgPool,
    pub work_pool: PgPool,
    /// How long a session may be live before it is unconfirmed.
    pub unconfirmed_after: TimeDelta,
    /// How far the clocks of the service and its database may differ.
    pub clock_tolerance: TimeDelta,
    pub folding: Arc<AtomicBool>,
    pub requests: Quota,
    pub feed: Feed,
    pub listeners: Quota,
    pub sealings: Quota,
    pub cipher: CursorCipher,
    pub metrics: PrometheusHandle,
}
