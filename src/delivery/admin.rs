//! Creates, changes and deletes webhooks.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::feed::{Selection, find_cursor};
use super::notices;
use super::secrets::{read_headers, seal_headers, seal_secret};
use super::signature::WebhookSecret;
use super::transport::Transport;
use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::model::webhook::{DisabledReason, WebhookEventType, WebhookKind, WebhookState};
use crate::registry::master_key::{MasterKey, MasterKeyError};
use crate::registry::master_keys::MasterKeys;
use crate::store;
use crate::store::webhook::{CursorRow, WebhookRow};

/// The most webhooks of an installation.
const MAX_WEBHOOKS: usize = 50;

/// The longest time for which the secret before a rotation signs, too.
const MAX_OVERLAP: TimeDelta = TimeDelta::days(7);

/// The settings of a webhook.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    pub name: String,
    /// Only of a new webhook; it never changes.
    pub kind: WebhookKind,
    pub url: String,
    pub selection: Selection,
    /// `None`: unchanged, or none for a new webhook.
    pub headers: Option<BTreeMap<String, String>>,
    pub state: WebhookState,
}

impl WebhookSettings {
    /// The settings that a webhook has.
    pub fn of(row: WebhookRow) -> Self {
        Self {
            name: row.name.clone(),
            kind: row.kind,
            url: row.url.clone(),
            headers: None,
            state: row.state,
            selection: Selection::of(row),
        }
    }
}

/// From which events on a webhook sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginAt {
    /// From those after the last one that was settled.
    Last,
    Now,
    Time(DateTime<Utc>),
}

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A member is invalid.
    #[error("{name}: {reason}")]
    Invalid { name: &'static str, reason: String },
    #[error("webhook not found")]
    NotFound,
    #[error("another webhook has this name")]
    NameTaken,
    #[error("there are {MAX_WEBHOOKS} webhooks already")]
    TooMany,
    #[error("a replay sends at most {} events: choose a shorter period", super::replay::MAX_EVENTS)]
    TooManyEvents,
    #[error("a relay keeps only callbacks that it has not delivered: set only_failed")]
    NotKept,
    /// The master key is missing or wrong.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error("the database failed to store the change")]
    Database(#[from] sqlx::Error),
}

/// What administrators' changes need.
pub struct WebhookAdmin<'a> {
    pub pool: &'a PgPool,
    pub master_keys: &'a MasterKeys,
    pub transport: &'a Transport,
}

impl WebhookAdmin<'_> {
    /// Creates a webhook. Returns its row and its secret.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`] names the invalid member.
    pub async fn create(
        &self,
        actor: &Actor,
        settings: WebhookSettings,
        begin_at: BeginAt,
        now: DateTime<Utc>,
    ) -> Result<(WebhookRow, SecretString), WebhookError> {
        check(&settings, begin_at)?;
        self.check_url(&settings.url)?;
        let webhook_id = Uuid::new_v4();
        let secret = WebhookSecret::generate();
        let mut transaction = self.pool.begin().await?;
        store::installation::lock_registry(&mut *transaction).await?;
        let others = store::webhook::list_webhooks(&mut *transaction).await?;
        if others.len() >= MAX_WEBHOOKS {
            return Err(WebhookError::TooMany);
        }
        reject_taken_name(&others, webhook_id, &settings.name)?;
        let master_key = self.master_key(&mut transaction).await?;
        let sealed_headers = settings.headers.as_ref().map(|headers| seal_headers(&master_key, webhook_id, headers));
        let Selection { event_types, domains, apps, renditions, personal } = settings.selection;
        let row = WebhookRow {
            webhook_id,
            name: settings.name,
            kind: settings.kind,
            url: settings.url,
            event_types,
            domains,
            apps,
            renditions,
            personal,
            sealed_secret: seal_secret(&master_key, webhook_id, &secret),
            sealed_secret_before: None,
            secret_before_until: None,
            sealed_headers,
            state: settings.state,
            disabled_reason: disabled_reason(settings.state),
            failing_since: None,
            failed_attempts: 0,
            last_success_at: None,
            last_error: None,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        store::webhook::insert_webhook(&mut *transaction, &row).await?;
        set_cursor(&mut transaction, webhook_id, begin_at).await?;
        let details = Some(details_of(&row));
        let subject = Subject { id: Some(webhook_id), details, ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::WebhookCreated, subject).await?;
        transaction.commit().await?;
        Ok((row, secret.to_text()))
    }

    /// Changes a webhook, and attempts it at once.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`] names the invalid member.
    pub async fn change(
        &self,
        actor: &Actor,
        webhook_id: Uuid,
        settings: WebhookSettings,
        begin_at: BeginAt,
        now: DateTime<Utc>,
    ) -> Result<WebhookRow, WebhookError> {
        check(&settings, begin_at)?;
        let mut transaction = self.pool.begin().await?;
        store::installation::lock_registry(&mut *transaction).await?;
        let rows = store::webhook::list_webhooks(&mut *transaction).await?;
        reject_taken_name(&rows, webhook_id, &settings.name)?;
        let before = rows.into_iter().find(|row| row.webhook_id == webhook_id).ok_or(WebhookError::NotFound)?;
        // A process with other settings may change the rest, too. The sender checks the address of each connection.
        if settings.url != before.url {
            self.check_url(&settings.url)?;
        }
        if settings.kind != before.kind {
            return Err(invalid("kind", "cannot be changed: create another webhook"));
        }
        let sealed_headers = match &settings.headers {
            None => before.sealed_headers.clone(),
            Some(headers) if headers.is_empty() => None,
            Some(headers) => {
                let master_key = self.master_key(&mut transaction).await?;
                Some(seal_headers(&master_key, webhook_id, headers))
            }
        };
        let Selection { event_types, domains, apps, renditions, personal } = settings.selection;
        let row = WebhookRow {
            name: settings.name,
            url: settings.url,
            event_types,
            domains,
            apps,
            renditions,
            personal,
            sealed_headers,
            state: settings.state,
            disabled_reason: disabled_reason(settings.state),
            failing_since: None,
            failed_attempts: 0,
            last_error: None,
            updated_at: now,
            ..before.clone()
        };
        store::webhook::update_webhook(&mut *transaction, &row).await?;
        // While a relay is disabled, no callbacks are kept for it.
        let was_off = before.kind == WebhookKind::Relay && before.state == WebhookState::Disabled;
        let begin_at = if was_off { BeginAt::Now } else { begin_at };
        set_cursor(&mut transaction, webhook_id, begin_at).await?;
        store::webhook_delivery::make_due(&mut *transaction, webhook_id, now).await?;
        let details = json!({ "before": details_of(&before), "after": details_of(&row) });
        let subject = Subject { id: Some(webhook_id), details: Some(details), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::WebhookChanged, subject).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Replaces the secret. The one before signs, too, for `overlap`. Returns the new one.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`] if the overlap is too long.
    pub async fn replace_secret(
        &self,
        actor: &Actor,
        webhook_id: Uuid,
        overlap: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<SecretString, WebhookError> {
        if !(TimeDelta::zero()..=MAX_OVERLAP).contains(&overlap) {
            return Err(invalid("overlap", "must be between 0 and 7 days"));
        }
        let secret = WebhookSecret::generate();
        let mut transaction = self.pool.begin().await?;
        store::installation::lock_registry(&mut *transaction).await?;
        let rows = store::webhook::list_webhooks(&mut *transaction).await?;
        let mut row = rows.into_iter().find(|row| row.webhook_id == webhook_id).ok_or(WebhookError::NotFound)?;
        let master_key = self.master_key(&mut transaction).await?;
        let sealed = seal_secret(&master_key, webhook_id, &secret);
        let before = std::mem::replace(&mut row.sealed_secret, sealed);
        let keeps_before = overlap > TimeDelta::zero();
        row.sealed_secret_before = keeps_before.then_some(before);
        row.secret_before_until = keeps_before.then_some(now + overlap);
        row.updated_at = now;
        store::webhook::update_webhook(&mut *transaction, &row).await?;
        let details = json!({ "overlap_seconds": overlap.num_seconds() });
        let subject = Subject { id: Some(webhook_id), details: Some(details), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::WebhookSecretReplaced, subject).await?;
        transaction.commit().await?;
        Ok(secret.to_text())
    }

    /// Deletes a webhook. What it has not sent is never sent.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`] if there is none.
    pub async fn remove(&self, actor: &Actor, webhook_id: Uuid, now: DateTime<Utc>) -> Result<(), WebhookError> {
        let mut transaction = self.pool.begin().await?;
        store::installation::lock_registry(&mut *transaction).await?;
        if !store::webhook::delete_webhook(&mut *transaction, webhook_id).await? {
            return Err(WebhookError::NotFound);
        }
        let subject = Subject { id: Some(webhook_id), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::WebhookRemoved, subject).await?;
        transaction.commit().await?;
        Ok(())
    }

    fn check_url(&self, url: &str) -> Result<(), WebhookError> {
        self.transport.read_url(url).map(drop).map_err(|error| invalid("url", error.to_string()))
    }

    /// The current master key. Under the registry's lock, so that no rotation can happen in between.
    async fn master_key(&self, connection: &mut sqlx::PgConnection) -> Result<std::sync::Arc<MasterKey>, WebhookError> {
        let check = store::installation::get_master_key_check(connection).await?;
        Ok(self.master_keys.find(&check.unwrap_or_default())?)
    }
}

/// Disables a webhook whose receiver fails, and tells the other webhooks. False if it is disabled, or was changed since it had
/// this version.
pub async fn disable(
    pool: &PgPool,
    webhook_id: Uuid,
    version: i32,
    reason: DisabledReason,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // Receiving processes load the registry again: they keep callbacks for enabled relays only.
    store::installation::lock_registry(&mut *transaction).await?;
    let rows = store::webhook::list_webhooks(&mut *transaction).await?;
    let Some(row) = rows.into_iter().find(|row| row.webhook_id == webhook_id) else { return Ok(false) };
    let is_disabled = store::webhook::disable_webhook(&mut *transaction, webhook_id, version, reason, now).await?;
    if is_disabled {
        notices::write(&mut transaction, &[notices::disabled(&row, reason, now)], now).await?;
    }
    transaction.commit().await?;
    Ok(is_disabled)
}

async fn set_cursor(
    connection: &mut sqlx::PgConnection,
    webhook_id: Uuid,
    begin_at: BeginAt,
) -> Result<(), sqlx::Error> {
    let time = match begin_at {
        BeginAt::Last => return Ok(()),
        BeginAt::Now => None,
        BeginAt::Time(time) => Some(time),
    };
    let places = find_cursor(connection, time).await?;
    let cursor: Vec<_> = places.into_iter().map(|(shard, position)| CursorRow { shard, position }).collect();
    store::webhook::upsert_cursor(connection, webhook_id, &cursor).await
}

fn check(settings: &WebhookSettings, begin_at: BeginAt) -> Result<(), WebhookError> {
    let WebhookSettings { name, kind, url: _, selection, headers, state: _ } = settings;
    if !(1..=200).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(invalid("name", "must have 1 to 200 characters, no control characters"));
    }
    if let Some(headers) = headers {
        read_headers(headers).map_err(|error| invalid("headers", error.to_string()))?;
    }
    check_names("domains", selection.domains.as_deref())?;
    check_names("apps", selection.apps.as_deref())?;
    if *kind == WebhookKind::Relay {
        check_relay(selection, begin_at)?;
    }
    if selection.event_types.as_ref().is_some_and(Vec::is_empty) {
        return Err(invalid("event_types", "must be null or name at least one type"));
    }
    if selection.event_types.as_ref().is_some_and(|types| !types.iter().all(WebhookEventType::can_be_chosen)) {
        return Err(invalid("event_types", "must not name webhook.test and callback, which cannot be chosen"));
    }
    Ok(())
}

fn reject_taken_name(rows: &[WebhookRow], webhook_id: Uuid, name: &str) -> Result<(), WebhookError> {
    let is_taken = rows.iter().any(|row| row.webhook_id != webhook_id && row.name == name);
    if is_taken { Err(WebhookError::NameTaken) } else { Ok(()) }
}

fn disabled_reason(state: WebhookState) -> Option<DisabledReason> {
    match state {
        WebhookState::Enabled => None,
        WebhookState::Disabled => Some(DisabledReason::Administrator),
    }
}

/// A relay sends all callbacks of its domains.
fn check_relay(selection: &Selection, begin_at: BeginAt) -> Result<(), WebhookError> {
    if matches!(begin_at, BeginAt::Time(_)) {
        return Err(invalid("begin_at", "of a relay must not be a time: callbacks are kept for it from now on only"));
    }
    if selection.domains.is_none() {
        return Err(invalid("domains", "must name the domains whose callbacks are relayed"));
    }
    if selection.event_types.is_some() || selection.apps.is_some() || selection.personal {
        return Err(invalid(
            "kind",
            "a relay has no event types, no apps, and is not personal: it sends whole callbacks",
        ));
    }
    Ok(())
}

fn check_names(member: &'static str, names: Option<&[String]>) -> Result<(), WebhookError> {
    let fits = names.is_none_or(|names| {
        let is_plain = |name: &String| (1..=255).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        (1..=1_000).contains(&names.len()) && names.iter().all(is_plain)
    });
    fits.then_some(()).ok_or_else(|| {
        invalid(member, "must be null or name 1 to 1000, each of 1 to 255 characters, none of them control")
    })
}

fn invalid(name: &'static str, reason: impl Into<String>) -> WebhookError {
    WebhookError::Invalid { name, reason: reason.into() }
}

/// A webhook's settings for the audit log: nothing that may contain a secret, such as the URL's query.
fn details_of(row: &WebhookRow) -> Value {
    json!({
        "name": row.name,
        "url": row.url.split(['?', '#']).next(),
        "event_types": row.event_types,
        "domains": row.domains,
        "apps": row.apps,
        "renditions": row.renditions,
        "personal": row.personal,
        "has_headers": row.sealed_headers.is_some(),
        "state": row.state,
    })
}
