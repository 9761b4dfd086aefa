//! State that handlers share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::TimeDelta;
use chrono_tz::Tz;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::access::last_use::LastUses;
use crate::api::cursor_cipher::CursorCipher;
use crate::app::client_address::TrustedProxies;
use crate::app::feed::Feed;
use crate::app::page_caches::PageCaches;
use crate::app::quota::Quota;
use crate::config::Role;
use crate::delivery::transport::Transport;
use crate::event_log::alarm::Alarms;
use crate::event_log::receive::Receiver;
use crate::event_log::spool::Spool;
use crate::platform::tls::ValidityOfServed;
use crate::polling::client::ProviderClient;
use crate::registry::watch::LiveRegistry;
use crate::rejection::Rejections;
use crate::rejection::kept::KeptRejections;

/// Shared by all handlers, and immutable.
pub struct AppState {
    pub registry: LiveRegistry,
    pub receiver: Receiver,
    /// `None` in a process without the receiver role.
    pub spool: Option<Arc<Spool>>,
    pub roles: Vec<Role>,
    /// The validity of the served certificate; `None` without TLS.
    pub certificate: Option<ValidityOfServed>,
    pub trusted_proxies: TrustedProxies,
    pub appended: Arc<Notify>,
    pub rejections: Arc<Rejections>,
    pub kept_rejections: Arc<KeptRejections>,
    /// Logs the reuse of signatures.
    pub alarms: Arc<Alarms>,
    pub last_uses: Arc<LastUses>,
    pub query_pool: PgPool,
    pub report_pool: PgPool,
    pub work_pool: PgPool,
    /// How long ago a live session may have started or been confirmed before it becomes unconfirmed.
    pub unconfirmed_after: TimeDelta,
    /// The dashboard's time zone for visitors who have not chosen one.
    pub time_zone: Tz,
    /// Maximum difference between the clocks of the service and its database.
    pub clock_tolerance: TimeDelta,
    pub folding: Arc<AtomicBool>,
    pub requests: Quota,
    pub feed: Feed,
    pub listeners: Quota,
    pub sealings: Quota,
    pub workbooks: Quota,
    pub page_caches: PageCaches,
    pub cipher: CursorCipher,
    /// Sends webhooks, and checks their URLs.
    pub transport: Transport,
    /// Asks the provider, and checks endpoints.
    pub provider: ProviderClient,
    pub metrics: PrometheusHandle,
}
