//! Limits on concurrent work, per token and in total, so that no caller starves the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::access::{Principal, TokenHash};
use crate::api::problem::QuotaError;

/// A limit per token, and one for all tokens together.
#[derive(Debug)]
pub struct Quota {
    what: &'static str,
    per_token: usize,
    in_all: usize,
    left_in_all: Arc<Semaphore>,
    left_by_token: Mutex<HashMap<TokenHash, Arc<Semaphore>>>,
}

/// A unit of a quota. Dropping it returns the unit.
#[derive(Debug)]
pub struct Share {
    _of_token: OwnedSemaphorePermit,
    _in_all: OwnedSemaphorePermit,
}

impl Quota {
    /// `what` names the limited thing in errors.
    pub fn new(what: &'static str, per_token: usize, in_all: usize) -> Self {
        let left_in_all = Arc::new(Semaphore::new(in_all));
        Self { what, per_token, in_all, left_in_all, left_by_token: Mutex::default() }
    }

    /// Takes a share if one is free.
    ///
    /// # Errors
    /// [`QuotaError`] names the limit that is reached.
    pub fn try_take(&self, principal: &Principal) -> Result<Share, QuotaError> {
        let of_token = self.left_of(principal).try_acquire_owned();
        self.share(of_token.ok())
    }

    /// Waits up to `patience` for other requests of the same token.
    ///
    /// # Errors
    /// [`QuotaError`] names the limit that is reached.
    pub async fn take_within(&self, patience: Duration, principal: &Principal) -> Result<Share, QuotaError> {
        let of_token = timeout(patience, self.left_of(principal).acquire_owned()).await;
        self.share(of_token.ok().and_then(Result::ok))
    }

    fn share(&self, of_token: Option<OwnedSemaphorePermit>) -> Result<Share, QuotaError> {
        let of_token = of_token.ok_or(QuotaError::OfToken { what: self.what, limit: self.per_token })?;
        let in_all = Arc::clone(&self.left_in_all).try_acquire_owned();
        let in_all = in_all.map_err(|_| QuotaError::InAll { what: self.what, limit: self.in_all })?;
        Ok(Share { _of_token: of_token, _in_all: in_all })
    }

    fn left_of(&self, principal: &Principal) -> Arc<Semaphore> {
        let mut tokens = self.left_by_token.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() == tokens.capacity() {
            // Forget tokens without current work.
            tokens.retain(|_, left| Arc::strong_count(left) > 1);
        }
        let left = tokens.entry(*principal.token_hash()).or_insert_with(|| Arc::new(Semaphore::new(self.per_token)));
        Arc::clone(left)
    }
}
