//! Polls the domains whose mode asks for it. One process polls all: the one that holds the lock, which the database releases when
//! the process dies.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::account::LimitedAccount;
use super::client::ProviderClient;
use super::domain::{Domain, Health};
use super::secrets::open_account;
use crate::model::close_rule::CloseRule;
use crate::model::polling::{DifferenceKind, PollMode, PollOutcome};
use crate::platform::clock;
use crate::registry::master_keys::MasterKeys;
use crate::store;
use crate::store::provider_account::ProviderAccountRow;
use crate::telemetry::metrics::{
    POLL_ACCOUNTS_RESTING, POLL_FINDINGS, POLL_LAST_COMPLETE_SECONDS, POLL_MASS_ABSENCES, POLL_SECONDS,
    POLL_START_DIFFERENCE_SECONDS, POLLS, PROVIDER_CLOCK_SKEW_SECONDS,
};

/// How often the domains are read.
const INTERVAL: Duration = Duration::from_secs(5);

/// Timeout of a check that the connection that holds the lock is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);

/// How often what is no longer needed is deleted.
const UPKEEP_EVERY: u32 = 120;

/// For how long complete polls are kept, and for how long all else.
const KEEP_COMPLETE: TimeDelta = TimeDelta::days(1);
const KEEP: TimeDelta = TimeDelta::days(8);

/// Polls the domains of an installation.
pub struct Poller {
    pub pool: PgPool,
    /// The number of shards of the installation.
    pub shards: i16,
    pub client: ProviderClient,
    pub master_keys: MasterKeys,
    /// Nothing is appended to the log while the clocks are off by more.
    pub clock_tolerance: TimeDelta,
    /// When a live session is unconfirmed, and when it ends: it is confirmed sooner.
    pub unconfirmed_after: TimeDelta,
    pub close_unconfirmed_after: Option<TimeDelta>,
}

/// The accounts in use, by their ids and versions; `None`: the secret key cannot be decrypted.
type Accounts = HashMap<(Uuid, i32), Option<Arc<LimitedAccount>>>;

/// What a domain is polled with. Polling starts over when this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Settings {
    account_id: Uuid,
    version: i32,
    account_since: DateTime<Utc>,
    registered_at: DateTime<Utc>,
    apps: Option<Vec<String>>,
    mode: PollMode,
    confirm_after: TimeDelta,
}

/// A domain that this process polls, until it is dropped.
struct Running {
    settings: Settings,
    health: watch::Receiver<Health>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Poller {
    /// Polls until stopped.
    pub async fn run(self, stopped: CancellationToken) {
        // They outlive errors: one that rests must not be used because the database was away.
        let mut accounts = HashMap::new();
        let mut was_failing = false;
        while !stopped.is_cancelled() {
            let ended = stopped.run_until_cancelled(self.poll_while_connected(&mut accounts)).await;
            if let (Some(Err(error)), false) = (&ended, was_failing) {
                let error: &(dyn std::error::Error + 'static) = error.as_ref();
                tracing::warn!(error, "the provider's lists are not read; retrying: check the database");
            }
            was_failing = matches!(ended, Some(Err(_)));
            stopped.run_until_cancelled(sleep(INTERVAL)).await;
        }
    }

    /// Polls while one connection lives, which holds the lock.
    async fn poll_while_connected(&self, accounts: &mut Accounts) -> anyhow::Result<()> {
        let mut lock = self.pool.acquire().await?.detach();
        let ended = self.poll_while_locked(&mut lock, accounts).await;
        // Closing the connection releases the lock, also where it is broken.
        let _ = lock.close().await;
        ended
    }

    async fn poll_while_locked(&self, lock: &mut PgConnection, accounts: &mut Accounts) -> anyhow::Result<()> {
        while !store::polling::try_lock_polling(&mut *lock).await? {
            sleep(INTERVAL).await;
        }
        let mut running = HashMap::new();
        for turn in 0_u32.. {
            timeout(SIGN_OF_LIFE, lock.ping()).await??;
            self.adjust(accounts, &mut running).await?;
            report(accounts, &running);
            if turn % UPKEEP_EVERY == 0 {
                let now = clock::now();
                let deleted = store::polling::delete_before(&self.pool, now - KEEP_COMPLETE, now - KEEP).await;
                if let Err(error) = deleted {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "old readings of the provider's lists cannot be deleted; retrying");
                }
            }
            sleep(INTERVAL).await;
        }
        Ok(())
    }

    /// Starts and stops domains as their settings say.
    async fn adjust(&self, accounts: &mut Accounts, running: &mut HashMap<String, Running>) -> anyhow::Result<()> {
        let rows = store::provider_account::list_account_domains(&self.pool).await?;
        let polled: Vec<_> = rows.into_iter().filter(|row| row.poll_mode != PollMode::Off).collect();
        if polled.is_empty() && running.is_empty() {
            // Accounts stay: a pause must not end because a domain is polled again.
            return Ok(());
        }
        let by_id = store::provider_account::list_provider_accounts(&self.pool).await?;
        let by_id: HashMap<Uuid, _> = by_id.into_iter().map(|row| (row.account_id, row)).collect();
        accounts.retain(|(account_id, version), _| by_id.get(account_id).is_some_and(|row| row.version == *version));
        let rules = store::inference::list_close_rules(&self.pool).await?;
        let rules: HashMap<String, CloseRule> =
            rules.into_iter().map(|row| (row.domain.clone(), row.close_rule())).collect();
        let mut wanted = HashMap::new();
        for row in polled {
            let Some(account) = by_id.get(&row.account_id) else { continue };
            let closes_after = match rules.get(&row.domain).copied().unwrap_or(CloseRule::Service) {
                CloseRule::Service => self.close_unconfirmed_after,
                CloseRule::After(closes_after) => Some(closes_after),
                CloseRule::Never => None,
            };
            let confirm_after = confirm_after(self.unconfirmed_after, closes_after);
            let (account_id, version, mode) = (row.account_id, account.version, row.poll_mode);
            let (account_since, registered_at, apps) = (account.updated_at, row.created_at, row.apps);
            let settings = Settings { account_id, version, account_since, registered_at, apps, mode, confirm_after };
            wanted.insert(row.domain, settings);
        }
        running.retain(|domain, running| wanted.get(domain) == Some(&running.settings) && !running.task.is_finished());
        for (domain, settings) in wanted {
            if running.contains_key(&domain) {
                continue;
            }
            let Some(row) = by_id.get(&settings.account_id) else { continue };
            // The others are polled. It is tried again in the next turn.
            let Some(account) = self.open(accounts, row).await? else { continue };
            let begun = Health { complete_at: clock::now(), has_mass_absence: false };
            let (health, watched) = watch::channel(begun);
            let polled = Domain {
                pool: self.pool.clone(),
                clock_tolerance: self.clock_tolerance,
                shards: self.shards,
                account,
                account_since: settings.account_since,
                name: domain.clone(),
                apps: settings.apps.clone(),
                registered_at: settings.registered_at,
                mode: settings.mode,
                confirm_after: settings.confirm_after,
                health,
            };
            let task = tokio::spawn(polled.run());
            running.insert(domain, Running { settings, health: watched, task });
        }
        Ok(())
    }

    /// An account that all its domains share; `None` if its secret key cannot be decrypted, which is logged once.
    async fn open(
        &self,
        accounts: &mut Accounts,
        row: &ProviderAccountRow,
    ) -> Result<Option<Arc<LimitedAccount>>, sqlx::Error> {
        let key = (row.account_id, row.version);
        if let Some(account) = accounts.get(&key) {
            return Ok(account.clone());
        }
        let check = store::installation::get_master_key_check(&self.pool).await?;
        let opened = self.master_keys.find(&check.unwrap_or_default()).map_err(anyhow::Error::from);
        let account = match opened.and_then(|master_key| Ok(open_account(&master_key, row.clone())?)) {
            Ok(account) => Some(Arc::new(LimitedAccount::new(self.client.clone(), account))),
            Err(error) => {
                let error: &(dyn std::error::Error + 'static) = error.as_ref();
                tracing::warn!(account = row.name, error, "a provider account cannot be used: check the master key");
                None
            }
        };
        accounts.insert(key, account.clone());
        Ok(account)
    }
}

/// How long ago a listed session was last known to be live when it is confirmed: half of the time after which it would be
/// unconfirmed or end.
pub fn confirm_after(unconfirmed_after: TimeDelta, closes_after: Option<TimeDelta>) -> TimeDelta {
    closes_after.map_or(unconfirmed_after, |closes_after| closes_after.min(unconfirmed_after)) / 2
}

fn report(accounts: &Accounts, running: &HashMap<String, Running>) {
    let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    POLL_ACCOUNTS_RESTING
        .gauge_of(&[])
        .set(count(accounts.values().flatten().filter(|account| account.is_resting()).count()));
    let health: Vec<Health> = running.values().map(|running| *running.health.borrow()).collect();
    POLL_MASS_ABSENCES.gauge_of(&[]).set(count(health.iter().filter(|health| health.has_mass_absence).count()));
    let now = clock::now();
    let oldest = health.iter().map(|health| now - health.complete_at).max().unwrap_or_default();
    POLL_LAST_COMPLETE_SECONDS.gauge_of(&[]).set(oldest.max(TimeDelta::zero()).as_seconds_f64());
}

/// Exports the metrics before there is something to report.
pub fn register_metrics() {
    for outcome in PollOutcome::ALL {
        POLLS.counter_of(&[("outcome", outcome.as_str())]).increment(0);
    }
    for kind in DifferenceKind::ALL {
        for mode in [PollMode::Observe, PollMode::Repair] {
            POLL_FINDINGS.counter_of(&[("kind", kind.as_str()), ("mode", mode.as_str())]).increment(0);
        }
    }
    for gauge in [POLL_ACCOUNTS_RESTING, POLL_MASS_ABSENCES, POLL_LAST_COMPLETE_SECONDS, PROVIDER_CLOCK_SKEW_SECONDS] {
        gauge.gauge_of(&[]).set(0.0);
    }
    let _ = (POLL_SECONDS.histogram_of(&[]), POLL_START_DIFFERENCE_SECONDS.histogram_of(&[]));
}
