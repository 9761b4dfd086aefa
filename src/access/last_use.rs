//! When tokens were last used: noted in memory, written to the database now and then.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::store;

/// The last use of each token that was used since it was last written down.
#[derive(Debug, Default)]
pub struct LastUses(Mutex<HashMap<Uuid, DateTime<Utc>>>);

impl LastUses {
    /// Notes a use.
    pub fn note(&self, token_id: Uuid, now: DateTime<Utc>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token_id, now);
    }

    /// Writes down what was noted.
    ///
    /// # Errors
    /// Those of the database; then these uses are forgotten, as the next ones will tell as much.
    pub async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if uses.is_empty() {
            return Ok(());
        }
        // Two processes that write the same rows do so in one order, so that neither waits for the other.
        let (token_ids, times): (Vec<_>, Vec<_>) = uses.into_iter().collect::<BTreeMap<_, _>>().into_iter().unzip();
        store::access_token::update_last_uses(pool, &token_ids, &times).await
    }
}
