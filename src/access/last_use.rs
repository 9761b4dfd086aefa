//! The last use of each token and of each signing key: kept in memory, and periodically written to the database.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::store;

/// The last uses since the previous write.
#[derive(Debug, Default)]
pub struct LastUses {
    tokens: Uses,
    keys: Uses,
}

/// The last use of each id.
#[derive(Debug, Default)]
struct Uses(Mutex<HashMap<Uuid, DateTime<Utc>>>);

impl LastUses {
    /// Records that a request had the token.
    pub fn note_token(&self, token_id: Uuid, now: DateTime<Utc>) {
        self.tokens.note(token_id, now);
    }

    /// Records that the key verified a callback.
    pub fn note_key(&self, key_id: Uuid, now: DateTime<Utc>) {
        self.keys.note(key_id, now);
    }

    /// Writes the uses to the database.
    ///
    /// # Errors
    /// Errors of the database. The uses are then dropped: later uses replace them.
    pub async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let tokens = self.tokens.take();
        let keys = self.keys.take();
        if let Some((token_ids, times)) = tokens {
            store::access_token::update_last_uses(pool, &token_ids, &times).await?;
        }
        if let Some((key_ids, times)) = keys {
            store::signing_key::update_last_uses(pool, &key_ids, &times).await?;
        }
        Ok(())
    }
}

impl Uses {
    fn note(&self, id: Uuid, now: DateTime<Utc>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now);
    }

    /// Removes the ids and their times, in a fixed order, so that two processes that write the same rows cannot deadlock;
    /// `None` without uses.
    fn take(&self) -> Option<(Vec<Uuid>, Vec<DateTime<Utc>>)> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (!uses.is_empty()).then(|| uses.into_iter().collect::<BTreeMap<_, _>>().into_iter().unzip())
    }
}
