//! Sends the test event of a webhook.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::open::{OpenError, OpenWebhook};
use super::payload::{EventView, TestData};
use super::transport::{Attempt, Transport};
use crate::model::webhook::WebhookEventType;
use crate::registry::master_keys::MasterKeys;
use crate::store;
use crate::store::webhook::WebhookRow;

/// Why a test event was not sent.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The settings of the webhook, or of this process, do not allow it.
    #[error(transparent)]
    Settings(#[from] OpenError),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Sends the event `webhook.test` once, also for a disabled webhook.
///
/// # Errors
/// [`TestError`] when nothing was sent. That the receiver fails is a result.
pub async fn test_webhook(
    pool: &PgPool,
    master_keys: &MasterKeys,
    transport: &Transport,
    row: WebhookRow,
    now: DateTime<Utc>,
) -> Result<Attempt, TestError> {
    let installation = store::installation::get_installation(pool).await?.ok_or(sqlx::Error::RowNotFound)?;
    let webhook = OpenWebhook::open(row, master_keys, &installation, transport)?;
    let data = TestData { webhook_id: webhook.webhook_id };
    let event = EventView { event_type: WebhookEventType::WebhookTest, timestamp: now, data };
    let body = serde_json::to_vec(&event).unwrap_or_else(|_| unreachable!("the test event is JSON"));
    Ok(webhook.send_json(transport, Uuid::new_v4(), body, now).await)
}
