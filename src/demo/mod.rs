//! The demo: a domain with simulated streams, two weeks of history, and callbacks that arrive as real ones do.
//!
//! It has its own data folder, which no installation uses, so that demo data never gets into an installation.

mod demo_streams;
mod folder;
mod provider;

pub use folder::{find_folder, reject_folder_of_demo};

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use secrecy::ExposeSecret;
use tokio::time::sleep;

use crate::access::Actor;
use crate::app::state::AppState;
use crate::event_log::receive::ReceivedCallback;
use crate::huawei::admission::CallbackRoute;
use crate::huawei::notification;
use crate::huawei::signature::SigningKey;
use crate::model::access::{FieldSeparator, SignatureRule};
use crate::model::filter::EventFilter;
use crate::platform::clock;
use crate::reconciler::infer::{InferencePolicy, infer};
use crate::registry::admin::{self, DomainSettings};
use crate::registry::open_key;
use crate::simulation::push_lifecycle::{Life, Telling};
use crate::store;
use crate::store::event_list::EventScope;
use provider::Provider;

/// The domain of the demo.
pub const DOMAIN: &str = "push.demo.example";

/// The length of the history.
const HISTORY: TimeDelta = TimeDelta::days(14);

/// How many callbacks of the history are received concurrently.
const AT_ONCE: usize = 256;

/// How long a later push must last before it ends an earlier one.
const SUPERSEDE_AFTER: TimeDelta = TimeDelta::minutes(5);

const SEED: u64 = 20_260_101;

/// A demo whose history was received.
pub struct Demo {
    provider: Provider,
    life: std::iter::Peekable<Life>,
}

impl Demo {
    /// Registers the domain if needed, and receives the callbacks of its streams until now: two weeks at first, later
    /// those since the demo last ran. `progress` is called with the number of callbacks received and their total.
    pub async fn prepare(state: &AppState, progress: impl Fn(u64, u64)) -> anyhow::Result<Self> {
        let (key, registered_at) = register(state).await.context("could not register the demo's domain")?;
        let newest =
            store::event_list::list_events(&state.work_pool, EventScope::default(), &EventFilter::default(), None, 1)
                .await?;
        let from = (registered_at - HISTORY).timestamp_millis();
        let seen = newest.first().map_or(from, |entry| entry.received_at.timestamp_millis());
        let mut life = Life::new(SEED, from, &demo_streams::kinds()).peekable();
        while life.next_if(|telling| telling.sent_at <= seen).is_some() {}
        let mut demo = Self { provider: Provider::new(key), life };
        demo.catch_up(state, progress).await?;
        infer_ends(state).await.context("could not infer the ends in the demo's history")?;
        Ok(demo)
    }

    /// Receives the callbacks that were due until now, each as if it had arrived on time.
    async fn catch_up(&mut self, state: &AppState, progress: impl Fn(u64, u64)) -> anyhow::Result<()> {
        let now = clock::now().timestamp_millis();
        let past: Vec<Telling> = std::iter::from_fn(|| self.life.next_if(|telling| telling.sent_at <= now)).collect();
        let mut done = 0;
        let all = u64::try_from(past.len())?;
        let registry = state.registry.current();
        let domain = registry.domain(DOMAIN).context("the demo's domain is not in the registry")?;
        let provider = &self.provider;
        let policy = &domain.policy;
        let mut taken = stream::iter(past)
            .map(|telling| async move {
                let message = notification::parse(provider.body(&telling).as_bytes()).map_err(|error| error.problem)?;
                let received_at = DateTime::from_timestamp_millis(telling.sent_at).unwrap_or_default();
                let source_ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
                let arrival = ReceivedCallback { message, path: CallbackRoute::Open, received_at, source_ip };
                state.receiver.receive(&arrival, Some(policy), &domain.rendition_templates).await?;
                anyhow::Ok(())
            })
            // In order: the first start and end count.
            .buffered(AT_ONCE);
        while let Some(taken) = taken.next().await {
            taken.context("could not receive the demo's history")?;
            done += 1;
            progress(done, all);
        }
        Ok(())
    }

    /// Sends the streams' further callbacks over HTTP, as the provider does, without end. Some are sent with a wrong
    /// key, too.
    pub async fn run(self, address: SocketAddr) {
        self.provider.send_for_ever(self.life, address).await;
    }
}

/// Infers ends that were never sent, as the service would later.
async fn infer_ends(state: &AppState) -> Result<(), sqlx::Error> {
    let rules = InferencePolicy { supersede_after: SUPERSEDE_AFTER, close_unconfirmed_after: None };
    loop {
        state.appended.notify_one();
        while store::fold::get_lag(&state.work_pool).await?.entries > 0 {
            sleep(Duration::from_millis(20)).await;
        }
        if infer(&state.work_pool, &rules, clock::now()).await? == 0 {
            return Ok(());
        }
    }
}

/// The domain's key, and when the domain was registered.
async fn register(state: &AppState) -> anyhow::Result<(Arc<SigningKey>, DateTime<Utc>)> {
    let pool = &state.work_pool;
    let now = clock::now();
    let actor = Actor { name: "demo".to_owned(), token_id: None };
    let registered = store::domain::get_domain(pool, DOMAIN).await?;
    let registered_at = if let Some(row) = registered {
        row.created_at
    } else {
        let settings = DomainSettings {
            signature: SignatureRule::Required,
            apps: Some(demo_streams::apps()),
            joiner: FieldSeparator::default(),
            rendition_templates: Vec::new(),
            concurrent_pushes: false,
        };
        admin::put_domain(pool, &actor, DOMAIN, settings, now).await?.0.created_at
    };
    let keys = store::signing_key::list_signing_keys(pool).await?;
    let key = match keys.iter().find(|key| key.domain == DOMAIN) {
        Some(row) => open_key(row, &state.registry.current().master_key)?,
        None => admin::add_key(pool, &actor, state.registry.master_keys(), DOMAIN, None, now).await?.1,
    };
    state.registry.refresh().await?;
    Ok((Arc::new(SigningKey::new(key.expose_secret())), registered_at))
}
