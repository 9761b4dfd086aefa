//! Webhooks with their secrets decrypted, ready to send.

use chrono::{DateTime, Utc};
use reqwest::Url;
use reqwest::header::HeaderMap;
use uuid::Uuid;

use super::feed::{Feed, Selection};
use super::queue::Event;
use super::relay;
use super::secrets::{open_headers, open_secret};
use super::signature::WebhookSecret;
use super::transport::{Attempt, Outgoing, Transport, UrlError};
use crate::model::webhook::WebhookKind;
use crate::registry::master_key::{MasterKeyError, SealingKey};
use crate::registry::master_keys::MasterKeys;
use crate::registry::open_rejection_key;
use crate::store;
use crate::store::installation::InstallationRow;
use crate::store::webhook::WebhookRow;

const EVENTS_CONTENT_TYPE: &str = "application/json";

/// A webhook, ready to send.
pub struct OpenWebhook {
    pub webhook_id: Uuid,
    pub version: i32,
    pub kind: WebhookKind,
    pub url: Url,
    pub selection: Selection,
    secret: WebhookSecret,
    /// The one before, and until when it signs, too.
    secret_before: Option<(WebhookSecret, DateTime<Utc>)>,
    pub headers: HeaderMap,
    /// Decrypts the bodies to relay.
    pub body_key: Option<SealingKey>,
}

/// What is sent of an event.
pub struct Content {
    content_type: Option<String>,
    body: Vec<u8>,
}

impl Content {
    pub fn json(body: Vec<u8>) -> Self {
        Self { content_type: Some(EVENTS_CONTENT_TYPE.to_owned()), body }
    }
}

/// Why a webhook cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The settings of this process have changed.
    #[error("its URL is not allowed: {0}")]
    Url(#[from] UrlError),
}

impl OpenWebhook {
    /// Decrypts a webhook's secrets, and checks its URL by the settings of this process.
    ///
    /// # Errors
    /// [`OpenError`]; a change of the settings can help.
    pub fn open(
        row: WebhookRow,
        master_keys: &MasterKeys,
        installation: &InstallationRow,
        transport: &Transport,
    ) -> Result<Self, OpenError> {
        let master_key = master_keys.find(&installation.master_key_check)?;
        let WebhookRow { webhook_id, version, kind, .. } = row;
        let open = |sealed: &Vec<u8>| open_secret(&master_key, webhook_id, sealed);
        let secret = open(&row.sealed_secret)?;
        let before = row.sealed_secret_before.as_ref().map(open).transpose()?;
        let secret_before = before.zip(row.secret_before_until);
        let headers =
            row.sealed_headers.as_ref().map(|sealed| open_headers(&master_key, webhook_id, sealed)).transpose()?;
        Ok(Self {
            webhook_id,
            version,
            kind,
            url: transport.read_url(&row.url)?,
            selection: Selection::of(row),
            secret,
            secret_before,
            headers: headers.unwrap_or_default(),
            body_key: match kind {
                WebhookKind::Events => None,
                WebhookKind::Relay => Some(open_rejection_key(installation, &master_key).ok_or(MasterKeyError::Wrong)?),
            },
        })
    }

    /// Sends JSON once.
    pub async fn send_json(&self, transport: &Transport, id: Uuid, body: Vec<u8>, now: DateTime<Utc>) -> Attempt {
        self.send(transport, id, false, Content::json(body), now).await
    }

    /// Sends an event once.
    pub async fn send(
        &self,
        transport: &Transport,
        id: Uuid,
        replayed: bool,
        content: Content,
        now: DateTime<Utc>,
    ) -> Attempt {
        let before = self.secret_before.as_ref().filter(|(_, until)| now < *until);
        let secrets: Vec<&WebhookSecret> = [&self.secret].into_iter().chain(before.map(|(secret, _)| secret)).collect();
        let outgoing = Outgoing {
            id: &format!("evt_{}", id.simple()),
            replayed,
            url: &self.url,
            secrets: &secrets,
            headers: &self.headers,
            content_type: content.content_type.as_deref(),
            body: content.body,
        };
        transport.attempt(outgoing, now).await
    }

    /// What is sent of an event, read again. `None` if it is no longer there.
    pub async fn read(&self, feed: &Feed, event: &Event) -> Result<Option<Content>, sqlx::Error> {
        match self.kind {
            WebhookKind::Events => {
                let body = feed.read_body(event, self.selection.personal).await?;
                Ok(body.map(Content::json))
            }
            WebhookKind::Relay => {
                let Some(sealed) = store::relay::get_body(&feed.pool, self.webhook_id, event.delivery_id).await? else {
                    return Ok(None);
                };
                let opened = self.body_key.as_ref().map(|key| relay::open_body(key, &sealed));
                let Some(Ok(body)) = opened else { return Ok(None) };
                Ok(Some(Content { content_type: sealed.content_type, body }))
            }
        }
    }
}
