//! How far webhooks are behind the log.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use crate::model::webhook::DisabledReason;
use crate::platform::clock;
use crate::store;
use crate::store::webhook::WebhookRow;

/// A webhook, and how far it is behind.
#[derive(Clone)]
pub struct WebhookStatus {
    pub row: WebhookRow,
    /// When the oldest event was recorded that it has not settled. `None`: it has settled all, or is disabled.
    pub oldest_unsent_at: Option<DateTime<Utc>>,
}

/// How long attempts must have failed to count as a problem. Most receivers come back sooner, after a restart.
const FAILING_FOR: TimeDelta = TimeDelta::minutes(5);

impl WebhookStatus {
    /// Whether someone should look at it: its receiver has failed for minutes, or for so long that it is disabled.
    pub fn is_failing(&self) -> bool {
        match self.row.disabled_reason {
            Some(DisabledReason::Failing | DisabledReason::Gone) => true,
            Some(DisabledReason::Administrator) => false,
            None => self.row.failing_since.is_some_and(|since| clock::now() - since >= FAILING_FOR),
        }
    }
}

/// All webhooks, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_statuses(pool: &PgPool) -> Result<Vec<WebhookStatus>, sqlx::Error> {
    let rows = store::webhook::list_webhooks(pool).await?;
    let cursors = store::webhook::list_cursors(pool).await?;
    let next = store::webhook::list_next_events(pool, &cursors).await?;
    let next: HashMap<_, _> = next.into_iter().map(|next| (next.webhook_id, next.recorded_at)).collect();
    let status = |row: WebhookRow| WebhookStatus { oldest_unsent_at: next.get(&row.webhook_id).copied(), row };
    Ok(rows.into_iter().map(status).collect())
}
