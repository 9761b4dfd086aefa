//! An account that is used within its limits.

use std::sync::{Mutex, Once};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use super::budget::{Budget, Rest};
use super::client::{Account, PollError, Polled, ProviderClient};
use super::lists::{Lists, StreamName};
use crate::huawei::live_api::answer::{HistoryPage, ListPage, Refusal};
use crate::huawei::live_api::sweep::PAGE;
use crate::model::polling::PollOutcome;
use crate::platform::clock;
use crate::telemetry::metrics::PROVIDER_CLOCK_SKEW_SECONDS;

/// How many requests for lists may be sent in a minute; the provider allows 1,000 for all that an account's user does.
const LISTS: usize = 300;

/// The same for the history, where it allows 20.
const HISTORIES: usize = 15;

/// How many requests are sent at once; the provider limits that, too.
const AT_ONCE: usize = 4;

/// An account with its limits, which all its domains share.
pub struct LimitedAccount {
    client: ProviderClient,
    account: Account,
    lists: Mutex<Budget>,
    histories: Mutex<Budget>,
    rest: Mutex<Rest>,
    history_rest: Mutex<Rest>,
    /// One, until a request has succeeded: a wrong key must not be rejected several times, because the provider locks
    /// it then.
    at_once: Semaphore,
    succeeded: Once,
    begun: Instant,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum LimitedError {
    #[error("requests with the account are paused: the provider has rejected or throttled some")]
    Resting,
    #[error(transparent)]
    Poll(#[from] PollError),
}

impl LimitedError {
    pub fn outcome(&self) -> PollOutcome {
        let Self::Poll(PollError::Refused { refusal, .. }) = self else {
            return if matches!(self, Self::Resting) { PollOutcome::Resting } else { PollOutcome::Failed };
        };
        match refusal {
            Refusal::Throttled => PollOutcome::Throttled,
            Refusal::Unauthorized => PollOutcome::Refused,
            Refusal::NotFound => PollOutcome::NotFound,
            Refusal::Failed => PollOutcome::Failed,
        }
    }

    /// The provider's code of the error.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Poll(PollError::Refused { code, .. }) => code.as_deref(),
            Self::Poll(_) | Self::Resting => None,
        }
    }
}

impl LimitedAccount {
    pub fn new(client: ProviderClient, account: Account) -> Self {
        Self {
            client,
            account,
            lists: Mutex::new(Budget::new(LISTS)),
            histories: Mutex::new(Budget::new(HISTORIES)),
            rest: Mutex::default(),
            history_rest: Mutex::default(),
            at_once: Semaphore::new(1),
            succeeded: Once::new(),
            begun: Instant::now(),
        }
    }

    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The time since it was loaded.
    pub fn steady(&self) -> Duration {
        self.begun.elapsed()
    }

    pub fn is_resting(&self) -> bool {
        lock(&self.rest).until(self.steady()).is_some()
    }

    /// Waits until a request may be sent.
    async fn wait(&self, budget: &Mutex<Budget>) -> Result<SemaphorePermit<'_>, LimitedError> {
        loop {
            let Ok(permit) = self.at_once.acquire().await else { unreachable!("it is never closed") };
            if self.is_resting() {
                return Err(LimitedError::Resting);
            }
            let taken = lock(budget).take(self.steady());
            match taken {
                Ok(()) => return Ok(permit),
                Err(wait) => {
                    drop(permit);
                    sleep(wait).await;
                }
            }
        }
    }

    fn note<T>(&self, polled: Polled<T>, rest: &Mutex<Rest>) -> Result<T, LimitedError> {
        if let Some(difference) = polled.clock_difference {
            PROVIDER_CLOCK_SKEW_SECONDS.gauge_of(&[]).set(difference.as_seconds_f64());
        }
        match &polled.result {
            Ok(_) => {
                lock(rest).succeed();
                self.succeeded.call_once(|| self.at_once.add_permits(AT_ONCE - 1));
            }
            Err(PollError::Refused { refusal, retry_after, .. }) => {
                lock(rest).fail(*refusal, *retry_after, self.steady());
            }
            Err(_) => {}
        }
        Ok(polled.result?)
    }
}

/// A panic elsewhere leaves counts behind, nothing more.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Lists for LimitedAccount {
    type Error = LimitedError;

    async fn list_streams(
        &self,
        domain: &str,
        offset: u32,
        stream: Option<StreamName<'_>>,
    ) -> Result<ListPage, LimitedError> {
        let _permit = self.wait(&self.lists).await?;
        self.note(
            self.client.list_streams(&self.account, domain, (offset, PAGE), stream, clock::now()).await,
            &self.rest,
        )
    }

    async fn list_history(
        &self,
        domain: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        page: u32,
    ) -> Result<HistoryPage, LimitedError> {
        let _permit = self.wait(&self.histories).await?;
        if lock(&self.history_rest).until(self.steady()).is_some() {
            return Err(LimitedError::Resting);
        }
        let polled = self.client.list_history(&self.account, domain, (from, to), page, clock::now()).await;
        // A key that reads lists is good, and may lack the permission to read the history.
        let rest = if self.succeeded.is_completed() { &self.history_rest } else { &self.rest };
        self.note(polled, rest)
    }
}
