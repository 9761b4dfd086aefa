//! The last use of each token: kept in memory, and periodically written to the database.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::store;

/// The last uses since the previous write.
#[derive(Debug, Default)]
pub struct LastUses(Mutex<HashMap<Uuid, DateTime<Utc>>>);

impl LastUses {
    /// Records a use.
    pub fn note(&self, token_id: Uuid, now: DateTime<Utc>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token_id, now);
    }

    /// Writes the uses to the database.
    ///
    /// # Errors
    /// Errors of the database. The uses are then dropped: later uses replace them.
    pub async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if uses.is_empty() {
            return Ok(());
        }
        // In a fixed order, so that two processes that write the same rows cannot deadlock.
        let (token_ids, times): (Vec<_>, Vec<_>) = uses.into_iter().collect::<BTreeMap<_, _>>().into_iter().unzip();
        store::access_token::update_last_uses(pool, &token_ids, &times).await
    }
}
