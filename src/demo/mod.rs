//! The demo: a few domains with simulated streams, a history since the beginning of last month, and callbacks that arrive
//! as real ones do.
//!
//! It has its own data folder, which no installation uses, so that demo data never gets into an installation. Everything
//! goes through the log: callbacks are composed and admitted, and operators act, as in an installation.

mod demo_streams;
mod folder;
mod provider;
mod script;

pub use folder::{find_folder, reject_folder_of_demo};

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use secrecy::ExposeSecret;
use tokio::time::sleep;

use crate::access::Actor;
use crate::app::state::AppState;
use crate::event_log::operator_end::set_end;
use crate::event_log::receive::ReceivedCallback;
use crate::event_log::release::{ReleaseError, release};
use crate::huawei::admission::{CallbackRoute, Verdict};
use crate::huawei::notification;
use crate::huawei::signature::SigningKey;
use crate::model::filter::EventFilter;
use crate::platform::clock;
use crate::reconciler::infer::{InferencePolicy, infer};
use crate::registry::admin::{self, DomainSettings};
use crate::registry::open_key;
use crate::rejection::kept::{self, RejectedBody};
use crate::simulation::push_lifecycle::Life;
use crate::store;
use demo_streams::{DOMAINS, DemoDomain};
use provider::{DemoCallback, Provider};

/// How many callbacks of the history are received concurrently.
const AT_ONCE: usize = 1_024;

/// When sessions of the history ended without a callback.
const INFERENCE: InferencePolicy =
    InferencePolicy { supersede_after: TimeDelta::minutes(5), close_unconfirmed_after: Some(TimeDelta::days(30)) };

const SEED: u64 = 20_260_101;

/// A demo whose history was received.
pub struct Demo {
    provider: Provider,
    life: std::iter::Peekable<Life>,
}

impl Demo {
    /// Registers the domains if needed, and receives the callbacks of their streams until now: since the beginning of last
    /// month at first, later those since the demo last ran. `progress` is called with the number of callbacks received
    /// and their total.
    pub async fn prepare(state: &AppState, progress: impl Fn(u64, u64)) -> anyhow::Result<Self> {
        let set_up_at = register(state).await.context("could not register the demo's domains")?;
        let provider = Provider::new(open_keys(state).await?);
        let newest = store::event_list::list_events(&state.work_pool, None, &EventFilter::default(), None, 1).await?;
        let seen = newest.first().map_or(i64::MIN, |entry| entry.received_at.timestamp_millis());
        let groups = demo_streams::groups(begin_of_history(set_up_at).timestamp_millis(), set_up_at.timestamp_millis());
        let mut life = Life::new(SEED, &groups).peekable();
        while life.next_if(|telling| telling.sent_at <= seen).is_some() {}
        let mut demo = Self { provider, life };
        let past = demo.past(set_up_at, seen);
        demo.catch_up(state, past, progress).await?;
        infer_ends(state).await.context("could not infer the ends in the demo's history")?;
        act_as_operator(state, set_up_at).await.context("could not act as the demo's operator")?;
        Ok(demo)
    }

    /// The callbacks that were due until now and after `seen` (Unix milliseconds), in the order in which they are sent.
    fn past(&mut self, set_up_at: DateTime<Utc>, seen: i64) -> Vec<DemoCallback> {
        let now = clock::now().timestamp_millis();
        let simulated = std::iter::from_fn(|| self.life.next_if(|telling| telling.sent_at <= now));
        let scripted = script::callbacks(set_up_at.timestamp_millis()).filter(|callback| callback.sent_at > seen);
        let mut past: Vec<_> = simulated.flat_map(demo_streams::callbacks_of).chain(scripted).collect();
        past.sort_by_key(|callback| callback.sent_at);
        past
    }

    /// Receives callbacks of the past, each as if it had arrived on time.
    async fn catch_up(
        &self,
        state: &AppState,
        past: Vec<DemoCallback>,
        progress: impl Fn(u64, u64),
    ) -> anyhow::Result<()> {
        let mut done = 0;
        let all = u64::try_from(past.len())?;
        let receiving = past.into_iter().map(|callback| self.receive(state, callback));
        // In order: the first start and end count.
        let mut received = stream::iter(receiving).buffered(AT_ONCE);
        while let Some(received) = received.next().await {
            received.context("could not receive the demo's history")?;
            done += 1;
            progress(done, all);
        }
        Ok(())
    }

    async fn receive(&self, state: &AppState, callback: DemoCallback) -> anyhow::Result<()> {
        let registry = state.registry.current();
        let domain = registry.domain(callback.domain);
        let body = self.provider.body(&callback);
        let message = notification::parse(body.as_bytes()).map_err(|error| error.problem)?;
        let received_at = DateTime::from_timestamp_millis(callback.sent_at).unwrap_or_default();
        let source_ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let arrival = ReceivedCallback { message, path: CallbackRoute::Open, received_at, source_ip };
        if let Verdict::Reject(cause) = state.receiver.receive(&arrival, domain, || None).await? {
            let claim = kept::claim_of(&registry, arrival.message.domain.clone());
            let body = body.as_bytes();
            let rejected = RejectedBody { claim, cause, received_at, callback_token: None, source_ip, body };
            let is_kept = state.kept_rejections.offer(rejected);
            let masker = &state.receiver.admitter.masker;
            state.rejections.count_rejected(&arrival, domain.is_some(), cause, is_kept, masker);
        }
        Ok(())
    }

    /// Sends the streams' further callbacks over HTTP, as the provider does, without end. Some are rejected.
    pub async fn run(self, address: SocketAddr) {
        self.provider.send_when_due(self.life.flat_map(demo_streams::callbacks_of), address).await;
    }
}

/// The begin of the month before the demo's first start, in every time zone.
fn begin_of_history(set_up_at: DateTime<Utc>) -> DateTime<Utc> {
    let month = set_up_at.date_naive().with_day(1).and_then(|first| first.checked_sub_months(Months::new(1)));
    let begin = month.and_then(|month| month.pred_opt()).unwrap_or(NaiveDate::MIN);
    begin.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// Infers ends that were never sent, as the service would later.
async fn infer_ends(state: &AppState) -> Result<(), sqlx::Error> {
    loop {
        wait_until_folded(state).await?;
        if infer(&state.work_pool, &INFERENCE, clock::now()).await? == 0 {
            return Ok(());
        }
    }
}

async fn wait_until_folded(state: &AppState) -> Result<(), sqlx::Error> {
    state.appended.notify_one();
    while store::fold::get_lag(&state.work_pool).await?.entries > 0 {
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Sets ends and releases callbacks as the script says, unless that was done before.
async fn act_as_operator(state: &AppState, set_up_at: DateTime<Utc>) -> anyhow::Result<()> {
    let pool = &state.work_pool;
    let operator = Actor { name: "operator".to_owned(), token_id: None };
    for script::ScriptedEnd { of, lasted_seconds, reason } in script::OPERATOR_ENDS {
        let session_id = of.session(set_up_at.timestamp_millis()).id().0;
        let session = store::session::get_session(pool, session_id).await?;
        if let Some(session) = session.filter(|session| session.ended_at.is_none()) {
            let ended_at = session.started_at + TimeDelta::seconds(lasted_seconds);
            set_end(pool, &operator, session_id, Some(ended_at), reason.to_owned(), clock::now()).await?;
        }
    }
    let (released, note) = script::RELEASE;
    let quarantined = store::quarantine::list_quarantined(pool, None, i64::MAX).await?;
    if let Some(event) = quarantined.iter().find(|event| event.stream == released.stream) {
        match release(pool, &operator, event.event_id, Some(note.to_owned()), clock::now()).await {
            Ok(_) | Err(ReleaseError::ReleasedBefore) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(wait_until_folded(state).await?)
}

/// Registers the domains, each with a key. Returns when the first one was registered.
async fn register(state: &AppState) -> anyhow::Result<DateTime<Utc>> {
    let pool = &state.work_pool;
    let actor = Actor { name: "demo".to_owned(), token_id: None };
    let mut set_up_at = DateTime::<Utc>::MAX_UTC;
    for domain in &DOMAINS {
        let created_at = if let Some(row) = store::domain::get_domain(pool, domain.name).await? {
            row.created_at
        } else {
            let now = clock::now();
            let row = admin::put_domain(pool, &actor, domain.name, settings_of(domain), now).await?.0;
            admin::add_key(pool, &actor, state.registry.master_keys(), domain.name, None, now).await?;
            row.created_at
        };
        set_up_at = set_up_at.min(created_at);
    }
    state.registry.refresh().await?;
    Ok(set_up_at)
}

fn settings_of(domain: &DemoDomain) -> DomainSettings {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    DomainSettings {
        apps: Some(owned(domain.apps)).filter(|apps| !apps.is_empty()),
        rendition_templates: owned(domain.templates),
        ..DomainSettings::default()
    }
}

/// The keys that the provider has.
async fn open_keys(state: &AppState) -> anyhow::Result<HashMap<&'static str, SigningKey>> {
    let rows = store::signing_key::list_signing_keys(&state.work_pool).await?;
    let master_key = &state.registry.current().master_key;
    let mut keys = HashMap::new();
    for DemoDomain { name, .. } in DOMAINS.iter().filter(|domain| domain.name != demo_streams::WRONG_KEY) {
        if let Some(row) = rows.iter().find(|row| row.domain == *name) {
            keys.insert(*name, SigningKey::new(open_key(row, master_key)?.expose_secret()));
        }
    }
    Ok(keys)
}
